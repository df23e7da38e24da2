//! Chains: many copies of a filter before a direct response, so that what one copy costs stands out of the noise.

mod check;
mod list;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_bench::results::{Series, kind_of};
use serin_envoy::Running;

pub(crate) use check::counts_of;

use crate::Tools;
use crate::bootstrap::{answer, any_route, bootstrap, header_route, inline, lua, wasm, wasm_inline};
use crate::calls::{self, Calls};
use crate::job::{Brings, Copy, Match, request};
use crate::plan::Plan;
use crate::rounds::{self, Contestant};
use crate::script::script;

/// What fills a chain.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// Nothing.
    None,
    /// A module that does nothing, as cargo gives it, or with the callbacks of a trimmed one only.
    Empty {
        /// Whether the callbacks are those of our module alone.
        trimmed: bool,
    },
    /// Modules that make the host calls of ours and do nothing else.
    Calls(Calls),
    /// The script.
    Lua(Match),
    /// The filter, with further fields of its rollout and its document.
    Serin(Match, Value, Value),
}

impl Filter {
    /// Holds what [`counts_of`] has grown by against so many requests that were decided.
    ///
    /// # Errors
    /// If it is something else.
    pub(crate) fn check_count(&self, counted: Option<u64>, requests: u64) -> Result<()> {
        let due = match self {
            Self::None | Self::Empty { .. } | Self::Calls(_) => 0,
            Self::Serin(..) => requests,
            Self::Lua(_) if counted.is_none() => return Ok(()),
            // Called for the request, and for the response.
            Self::Lua(_) => 2 * requests,
        };
        let counted = counted.unwrap_or_default();
        ensure!(counted == due, "{self:?} counted {counted}, not {due}");
        Ok(())
    }
}

/// What a chain does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Nothing at all.
    Nothing,
    /// Every copy decides for stable, and leaves no trace.
    Stable,
    /// Every copy writes the canary's header.
    Canary,
    /// Every copy gives a cookie.
    Cookie,
}

/// Measures all chains.
///
/// # Errors
/// If one of them cannot be started, or does not do its job.
pub async fn measure(tools: &Tools, plan: &Plan) -> Result<BTreeMap<String, Series>> {
    let chains = list::all();
    let mut envoys = Vec::new();
    for chain in &chains {
        envoys.push(start(tools, &chain.filter, plan.copies).await.with_context(|| format!("{:?}", chain.filter))?);
    }
    let mut contestants = Vec::new();
    for (chain, envoy) in chains.iter().zip(&envoys) {
        for (name, brings, does) in &chain.scenarios {
            ensure!(kind_matches(name, brings), "{name} is not known, or gets another kind of request");
            let request = request(brings, plan.copies)?;
            check::does(envoy, &chain.filter, &request, *does, plan.copies).await.context(name.clone())?;
            contestants.push(Contestant { name: name.clone(), envoy, request });
        }
    }
    let before = counts_of(&envoys).await?;
    let series = rounds::cpu("chains", &contestants, plan.chains).await?;
    let after = counts_of(&envoys).await?;
    let of_each = rounds::requests(plan.chains) * u64::from(plan.copies);
    for ((chain, before), after) in chains.iter().zip(before).zip(after) {
        let deciding = chain.scenarios.iter().filter(|(_, _, does)| *does != Does::Nothing).count() as u64;
        let counted = after.map(|after| after - before.unwrap_or_default());
        chain.filter.check_count(counted, of_each * deciding)?;
    }
    check::scripts_work(&envoys).await?;
    Ok(series)
}

/// Whether a series is one that the report knows, for this kind of request.
fn kind_matches(name: &str, brings: &Brings) -> bool {
    match name.split_once('/') {
        Some(("calls" | "lua" | "serin" | "serin_twin", scenario)) => kind_of(scenario) == Some(brings.kind()),
        Some((_, of)) => of == brings.kind(),
        None => false,
    }
}

/// Starts an Envoy with one worker and a chain before a direct response.
pub(crate) async fn start(tools: &Tools, filter: &Filter, copies: u32) -> Result<Running> {
    let filters =
        Copy::all(copies).filter_map(|copy| one(tools, filter, copy).transpose()).collect::<Result<Vec<_>>>()?;
    Running::start(&tools.envoy, 1, &[], |_| bootstrap(&filters, inline(routes(copies)), &[])).await
}

/// One copy.
///
/// # Errors
/// If its module cannot be made.
pub(crate) fn one(tools: &Tools, filter: &Filter, copy: Copy) -> Result<Option<Value>> {
    Ok(match filter {
        Filter::None => None,
        Filter::Empty { trimmed } => {
            let capabilities: &[&str] = if *trimmed { &TRIMMED } else { &[] };
            Some(wasm(&copy.name(), &tools.empty, "", capabilities))
        }
        Filter::Calls(calls) => Some(wasm_inline(&copy.name(), &calls::module(*calls)?)),
        Filter::Lua(covers) => Some(lua(&copy.name(), &script(copy, *covers))),
        Filter::Serin(covers, rollout, top) => {
            Some(wasm(&copy.name(), &tools.module, &copy.document(*covers, rollout, top), &[]))
        }
    })
}

/// The callbacks that our module has, and what a module of the SDK asks of its host while it starts.
const TRIMMED: [&str; 12] = [
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "proxy_log",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "random_get",
];

/// A route that shows what the copies wrote, for those who ask for it, and one that answers shortly.
fn routes(copies: u32) -> Vec<Value> {
    let seen: Vec<String> = Copy::all(copies).map(|copy| format!("%REQ({})%", copy.version_header())).collect();
    let mut shows = header_route(check::PROBE, None, answer("probe"));
    shows["response_headers_to_add"] = json!([{"header": {"key": check::SEEN, "value": seen.join(",")}}]);
    vec![shows, any_route(answer("answer"))]
}
