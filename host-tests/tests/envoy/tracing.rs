//! A real Envoy with the provider of the README beside the manifest's `tracing`: what its collector is told.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Setup, Upstreams, Visitor};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{HOST, eventually, weight};

const BOOTSTRAP: &str = include_str!("../../../manifests/envoy/envoy.yaml");
const README: &str = include_str!("../../../manifests/envoy/README.md");
const TRACING: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/tracing";

/// So many spans are sent at once without a wait.
const SPANS: usize = 5;

#[tokio::test]
async fn spans_name_the_version() -> Result<()> {
    let collector = Collector::start().await?;
    let upstreams = Upstreams::start(&["v1", "v2"]).await?;
    let mut clusters: Vec<_> = upstreams.addresses().collect();
    clusters.push(("collector", collector.address));
    let setup = Setup::from_env()?.workers(1).manager(json!({"tracing": tracing()?}));
    let envoy = setup.start_before(&clusters, weight(0)?).await?;

    let mut connection = serin_envoy::Connection::to(envoy.address());
    let mut visitor = Visitor::of(HOST)?;
    for version in ["v1", "v2"] {
        for _ in 0..SPANS {
            let reply = visitor.get(&mut connection, "/", &[("x-canary", version)]).await?;
            assert_eq!(reply.text(), version);
        }
    }
    for tag in ["stable", "v2"] {
        eventually(SPANS, async || Ok(collector.count(&attribute("canary.version", tag)))).await?;
    }
    Ok(())
}

/// The manifest's `tracing` with the provider that its README shows.
fn tracing() -> Result<Value> {
    let mut bootstrap: Value = serde_saphyr::from_str(BOOTSTRAP)?;
    let mut tracing = bootstrap.pointer_mut(TRACING).context("the manifest has no `tracing`")?.take();
    let begin = README.find("provider:\n").context("the README shows no provider")?;
    let block = README[begin..].split("```").next().context("the block has no end")?;
    let shown: Value = serde_saphyr::from_str(block)?;
    tracing["provider"] = shown["provider"].clone();
    Ok(tracing)
}

/// A `KeyValue` of OpenTelemetry's protocol with texts of fewer than 128 bytes.
fn attribute(key: &str, value: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    };
    [field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat()
}

/// Takes whatever it is sent, and never answers.
struct Collector {
    address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, received) = (listener.local_addr()?, Arc::default());
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(keep(stream, Arc::clone(&kept)));
            }
        });
        Ok(Self { address, received })
    }

    /// How often these bytes have come.
    fn count(&self, bytes: &[u8]) -> usize {
        self.received.lock().unwrap().windows(bytes.len()).filter(|window| window == &bytes).count()
    }
}

async fn keep(mut stream: TcpStream, received: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 8 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        received.lock().unwrap().extend(&buffer[..read]);
    }
}
