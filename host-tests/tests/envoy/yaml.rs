//! A real Envoy that reads the filter and its rules from a file of YAML, as people write it: other tests hand it JSON, in which
//! numbers arrive as they were written.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Running, Upstreams, Visitor};

use crate::support::{HOST, eventually};

const FILE: &str = "rules/serin.yaml";
const BOOTSTRAP: &str = include_str!("../../../manifests/envoy/envoy.yaml");
const RESOURCE: &str = include_str!("../../../manifests/envoy/serin.yaml");
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Envoy makes texts of fractions.
const GUARD: &str = "guard: {max_percent: 0.5, confidence: 99.95, worse_than_stable: 1.5}";

#[tokio::test]
async fn fractions_are_numbers() -> Result<()> {
    let path = |name| std::env::var_os(name).with_context(|| format!("{name} is not set: run `cargo xtask test`"));
    let (binary, module) = (PathBuf::from(path("ENVOY")?), PathBuf::from(path("SERIN_WASM")?));
    let upstreams = Upstreams::start(&["v1", "v2"]).await?;
    let stable = "stable: v1\n";
    assert!(RESOURCE.contains(stable) && RESOURCE.contains("serin.wasm"));
    let indented = format!("{stable}              {GUARD}\n");
    let module = module.canonicalize()?.display().to_string();
    let resource = RESOURCE.replace(stable, &indented).replace("serin.wasm", &module);

    let mut bootstrap: Value = serde_saphyr::from_str(BOOTSTRAP)?;
    for bound in ["/admin", "/static_resources/listeners/0"] {
        *at(&mut bootstrap, &format!("{bound}/address/socket_address/port_value"))? = json!(0);
    }
    for (index, (_, address)) in upstreams.addresses().enumerate() {
        let endpoint = "load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        *at(&mut bootstrap, &format!("/static_resources/clusters/{index}/{endpoint}/port_value"))? =
            json!(address.port());
    }
    *at(&mut bootstrap, &format!("{MANAGER}/access_log"))? = json!([]);
    let envoy = Running::start(&binary, 1, &[(FILE, &resource)], |folder| {
        let file = folder.join(FILE);
        if let Some(source) = bootstrap
            .pointer_mut(&format!("{MANAGER}/http_filters/0/config_discovery/config_source/path_config_source"))
        {
            *source = json!({"path": file, "watched_directory": {"path": file.parent()}});
        }
        bootstrap
    })
    .await?;

    eventually(1, async || envoy.sum(r"^wasmcustom\.serin_config_ok\.plugin\.serin$").await).await?;
    assert_eq!(envoy.sum(r"^wasmcustom\.serin_config_rejected.*$").await?, 0, "{}", envoy.log()?);
    let mut connection = serin_envoy::Connection::to(envoy.address());
    let reply = Visitor::of(HOST)?.get(&mut connection, "/", &[("x-canary", "v2")]).await?;
    assert_eq!(reply.text(), "v2");
    Ok(())
}

fn at<'a>(root: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    root.pointer_mut(pointer).with_context(|| format!("the manifest has no {pointer}"))
}
