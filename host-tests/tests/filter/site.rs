//! The words of these tests: the module, documents, what a request got, and visitors that keep their cookie.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};
use serin_host::{Exchange, Lapse, Module, Proxy, ProxyBuilder, Request, Worker};

/// Compiled once for all tests.
static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let path = std::env::var_os("SERIN_WASM").map(PathBuf::from);
    let path = path.expect("SERIN_WASM names no module: run `cargo xtask test`, which builds it and says where it is");
    Module::open(&path).expect("a module that an Envoy can load")
});

/// The plugin's name in all these tests.
pub(crate) const PLUGIN: &str = "serin";

pub(crate) fn module() -> &'static Module {
    &MODULE
}

/// A proxy with two workers, to be started with a document.
pub(crate) fn builder() -> ProxyBuilder {
    ProxyBuilder::new(module()).plugin_name(PLUGIN).workers(2)
}

/// The same for documents with mistakes, which are logged as errors.
pub(crate) fn with_mistakes() -> ProxyBuilder {
    builder().allow(Lapse::ErrorLog)
}

/// A proxy that follows a sound document, and may get another with mistakes.
#[track_caller]
pub(crate) fn proxy_with_mistakes(document: &Value) -> Proxy {
    let proxy = with_mistakes().start(document.to_string()).expect("it starts");
    assert_sound(&proxy);
    proxy
}

/// A proxy with two workers that follows the document.
#[track_caller]
pub(crate) fn proxy(document: &Value) -> Proxy {
    let proxy = builder().start(document.to_string()).expect("it starts");
    assert_sound(&proxy);
    proxy
}

/// Fails if the document in force had an error, so that no test rests on a document that is wrong by accident.
#[track_caller]
pub(crate) fn assert_sound(proxy: &Proxy) {
    assert_eq!(proxy.gauge(&format!("serin_config_ok.plugin.{PLUGIN}")), Some(1), "{:?}", proxy.log());
}

/// A document with one rollout, `shop`: stable `v1`, and `v2` with this weight.
pub(crate) fn shop(weight: u32) -> Value {
    json!({"rollouts": {"shop": {
        "stable": "v1",
        "versions": {"v1": {"cluster": "shop-v1"}, "v2": {"cluster": "shop-v2", "weight": weight}},
    }}})
}

/// The same with more fields in the rollout.
pub(crate) fn shop_with(weight: u32, fields: &Value) -> Value {
    let mut document = shop(weight);
    merge(&mut document["rollouts"]["shop"], fields);
    document
}

/// Puts the fields of one object into another.
pub(crate) fn merge(into: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().expect("an object") {
        into[name] = value.clone();
    }
}

/// The version that routes see; stable is marked by no header.
pub(crate) fn version(exchange: &Exchange) -> String {
    exchange.request.text("x-canary-version").unwrap_or_else(|| "v1".to_owned())
}

/// Sends a request and returns its version.
#[track_caller]
pub(crate) fn version_for(request: Request) -> String {
    version(&request.send().expect("the VM lives"))
}

/// What the response wants the client to keep, as a client sends it back: `name=value`.
pub(crate) fn cookie(exchange: &Exchange) -> Option<String> {
    let line = exchange.response.text("set-cookie")?;
    Some(line.split(';').next()?.to_owned())
}

/// All that the response wants the client to keep, as a client sends it back.
pub(crate) fn cookies(exchange: &Exchange) -> String {
    let lines = exchange.response.all("set-cookie").into_iter().map(String::from_utf8_lossy);
    lines.map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect::<Vec<_>>().join("; ")
}

/// A new visitor: the version of the first answer and the cookie that came with it.
#[track_caller]
pub(crate) fn new_visitor(worker: &Worker) -> (String, String) {
    let exchange = worker.get("/").send().expect("the VM lives");
    (version(&exchange), cookie(&exchange).expect("a new visitor gets a cookie"))
}

/// A cookie of a visitor who gets this version.
#[track_caller]
pub(crate) fn visitor_on(worker: &Worker, wanted: &str) -> String {
    let visitors = std::iter::repeat_with(|| new_visitor(worker)).take(10_000);
    visitors.into_iter().find(|(version, _)| version == wanted).expect("10,000 visitors, and none of them").1
}
