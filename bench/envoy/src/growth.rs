//! More and more rollouts in one document, against as many header-match routes in Envoy's own table.
//!
//! Both have a path of one host each, both answer the same request: one to the last path, with a header that names the
//! canary. The table is the list that control planes write of routes with header conditions, in one virtual host; Envoy
//! looks through it from the top.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hyper::Request;
use serde_json::{Value, json};
use serin_bench::results::{Grown, Growth, Series};
use serin_bench::{Covers, matching_document};
use serin_envoy::{Connection, ROUTES, RULES, Running};

use crate::Tools;
use crate::bootstrap::{
    answer, any_route, bootstrap, discovered_filter, discovered_routes, filter_file, header_route, inline, routes_file,
    wasm,
};
use crate::job::HOST;
use crate::plan::Plan;
use crate::rounds::{self, Contestant};
use crate::{pump, usage};

/// The name of the filter.
const NAME: &str = "serin";
/// The header of a request that names its version.
const OVERRIDE: &str = "x-canary";
/// The header that the filter writes.
const VERSION: &str = "x-canary-version";
/// The names that the canary has in turn, so that an answer shows which push it comes from.
const CANARIES: [&str; 2] = ["v2", "v3"];
/// A push takes effect within this time, or the run ends.
const LIMIT: Duration = Duration::from_secs(60);

/// Which side a process is on.
#[derive(Clone, Copy)]
enum Side {
    Filter,
    Routes,
}

/// One process of one size.
struct Grower<'a> {
    tools: &'a Tools,
    side: Side,
    size: u32,
    envoy: Running,
    canary: usize,
}

/// Measures all sizes.
///
/// # Errors
/// If a side cannot be started, or does not follow a push.
pub async fn measure(tools: &Tools, plan: &Plan) -> Result<Vec<Growth>> {
    let mut growers = Vec::new();
    for &size in &plan.sizes {
        for side in [Side::Filter, Side::Routes] {
            growers.push(Grower::start(tools, side, size).await.with_context(|| format!("{size} rollouts"))?);
        }
    }
    let mut contestants = Vec::new();
    for grower in &growers {
        contestants.push(Contestant { name: grower.name(), envoy: &grower.envoy, request: grower.request()? });
    }
    let mut cpu = rounds::cpu("growth", &contestants, plan.growth).await?;
    drop(contestants);
    let mut grown = Vec::new();
    for grower in &mut growers {
        eprintln!("growth: pushes, {}", grower.name());
        let memory = usage::resident(grower.envoy.id())?;
        let cpu = cpu.remove(&grower.name()).unwrap_or_default();
        grown.push(Grown { cpu, memory, push: grower.pushes(plan.pushes).await.with_context(|| grower.name())? });
    }
    let mut grown = grown.into_iter();
    let pairs = std::iter::from_fn(|| grown.next().zip(grown.next()));
    Ok(plan.sizes.iter().zip(pairs).map(|(&rollouts, (filter, routes))| Growth { rollouts, filter, routes }).collect())
}

impl<'a> Grower<'a> {
    async fn start(tools: &'a Tools, side: Side, size: u32) -> Result<Self> {
        let file = content(tools, side, size, CANARIES[0])?;
        let envoy = match side {
            Side::Filter => {
                let shape = |folder: &Path| {
                    let written = CANARIES.map(|canary| header_route(VERSION, Some(canary), answer(canary)));
                    let routes = written.into_iter().chain([any_route(answer("v1"))]).collect();
                    bootstrap(&[discovered_filter(NAME, &folder.join(RULES))], inline(routes), &[])
                };
                Running::start(&tools.envoy, 1, &[(RULES, &file)], shape).await?
            }
            Side::Routes => {
                let shape = |folder: &Path| bootstrap(&[], discovered_routes(&folder.join(ROUTES)), &[]);
                Running::start(&tools.envoy, 1, &[(ROUTES, &file)], shape).await?
            }
        };
        let grower = Self { tools, side, size, envoy, canary: 0 };
        let reply = pump::send(&mut Connection::to(grower.envoy.address()), &grower.request()?).await?;
        ensure!(reply.text() == CANARIES[0], "{} answered {:?}", grower.name(), reply.text());
        Ok(grower)
    }

    fn name(&self) -> String {
        let side = match self.side {
            Side::Filter => "filter",
            Side::Routes => "routes",
        };
        format!("{side}/{}", self.size)
    }

    /// What the last rollout or route covers.
    fn request(&self) -> Result<Request<()>> {
        let path = format!("/shop/{}/reviews?page=2", self.size - 1);
        let builder = Request::get(path).header("host", HOST).header(OVERRIDE, CANARIES[self.canary]);
        Ok(builder.body(())?)
    }

    /// How many milliseconds each of these pushes took from the move of the file to the first answer that shows it.
    async fn pushes(&mut self, pushes: u32) -> Result<Series> {
        let mut series = Series::default();
        for _ in 0..pushes {
            self.canary = 1 - self.canary;
            let canary = CANARIES[self.canary];
            let text = content(self.tools, self.side, self.size, canary)?;
            let file = match self.side {
                Side::Filter => RULES,
                Side::Routes => ROUTES,
            };
            let (mut connection, request) = (Connection::to(self.envoy.address()), self.request()?);
            pump::send(&mut connection, &request).await?;
            let started = Instant::now();
            self.envoy.replace(file, &text)?;
            while pump::send(&mut connection, &request).await?.text() != canary {
                ensure!(started.elapsed() < LIMIT, "a push had no effect within {LIMIT:?}");
            }
            series.0.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(series)
    }
}

/// The file that a side reads, with this name of the canary.
fn content(tools: &Tools, side: Side, size: u32, canary: &str) -> Result<String> {
    Ok(match side {
        Side::Filter => {
            let document =
                matching_document(usize::try_from(size)?, Covers::Paths).replace("\"v2\"", &format!("\"{canary}\""));
            filter_file(&wasm(NAME, &tools.module, &document, &[]))
        }
        Side::Routes => {
            let routes = (0..size).map(|n| path_route(n, canary)).chain([any_route(answer("v1"))]);
            routes_file(HOST, routes.collect())
        }
    })
}

/// The route that does what rollout `n` of the document does for those who name the canary.
fn path_route(n: u32, canary: &str) -> Value {
    let mut route = header_route(OVERRIDE, Some(canary), answer(canary));
    let headers = route["match"]["headers"].take();
    route["match"] = json!({"path_separated_prefix": format!("/shop/{n}"), "headers": headers});
    route
}
