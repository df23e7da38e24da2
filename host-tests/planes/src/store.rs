//! The part of Envoy Gateway that hands the module to its proxies.

use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server on loopback that answers with a module; it stops when this is dropped.
#[derive(Debug)]
pub struct Store {
    pub(crate) address: SocketAddr,
    pub(crate) sha256: String,
    shelf: Arc<Shelf>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Shelf {
    module: Bytes,
    is_down: AtomicBool,
    requests: AtomicU64,
}

impl Store {
    /// Serves this module.
    ///
    /// # Errors
    /// If it cannot be read, or if there is no port.
    pub async fn start(module: &Path) -> Result<Self> {
        let module = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
        let sha256 = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shelf = Shelf { module: module.into(), is_down: AtomicBool::default(), requests: AtomicU64::default() };
        let shelf = Arc::new(shelf);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::clone(&shelf)));
        Ok(Self { address, sha256, shelf, _task: task })
    }

    /// Whether it answers with 503 in the place of the module from now on.
    pub fn set_down(&self, is_down: bool) {
        self.shelf.is_down.store(is_down, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub fn requests(&self) -> u64 {
        self.shelf.requests.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        let service = service_fn(move |_| {
            let response = answer(&shelf);
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move { connection.await.unwrap_or_default() });
        while connections.try_join_next().is_some() {}
    }
}

fn answer(shelf: &Shelf) -> Response<Full<Bytes>> {
    shelf.requests.fetch_add(1, Ordering::Relaxed);
    let is_down = shelf.is_down.load(Ordering::Relaxed);
    let mut response = Response::new(Full::new(if is_down { Bytes::new() } else { shelf.module.clone() }));
    if is_down {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
