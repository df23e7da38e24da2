//! A real Envoy with the filter, small upstreams and cookie-keeping visitors, all on loopback.
//!
//! The demo and the end-to-end tests are written with it. What Envoy runs is `manifests/envoy` itself, with nothing but
//! addresses, paths and, where a test asks for it, the route table or fields of the listener or the connection manager
//! replaced; [`Running`] takes any other bootstrap. How the filter decides is not known here.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use serin_envoy::{Crowd, Setup, Upstreams, manifest};
//!
//! let upstreams = Upstreams::start(&["v1", "v2"]).await?;
//! let envoy = Setup::from_env()?.start(&upstreams, manifest::document()?).await?;
//! let crowd = Crowd::new(envoy.address(), "shop.example.com", 200, 8)?;
//! crowd.visit(5).await?;
//! println!("{:?}", crowd.take_report().serving);
//! # Ok(())
//! # }
//! ```

mod admin;
mod client;
mod crowd;
mod envoy;
mod folder;
pub mod manifest;
mod message;
mod process;
mod running;
mod scripted;
mod setup;
mod upstream;
mod visitor;

pub use client::{Connection, Reply, exchange};
pub use crowd::{Ask, Crowd, Report, Traffic};
pub use envoy::Envoy;
pub use folder::{RESOURCE as RULES, ROUTES};
pub use manifest::{Configuration, Routes};
pub use message::{Http, Message, Received, send};
pub use process::Process;
pub use running::Running;
pub use scripted::{Answer, Scripted, Seen};
pub use setup::Setup;
pub use upstream::{Behaviour, Upstreams};
pub use visitor::Visitor;
