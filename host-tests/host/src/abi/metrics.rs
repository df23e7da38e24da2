//! Metrics: ids belong to a VM, values to the whole proxy.

use wasmtime::Linker;

use super::{Call, ENV, HostCall};
use crate::lapse::Lapse;
use crate::metrics::Metrics;
use crate::shared::{MetricKind, Stat};
use crate::status::{Answer, Status};
use crate::vm::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define.provide(linker, ENV, "proxy_define_metric")?;
    increment.provide(linker, ENV, "proxy_increment_metric")?;
    record.provide(linker, ENV, "proxy_record_metric")?;
    get.provide(linker, ENV, "proxy_get_metric")
}

/// Every definition gives a new id, also of a name that has one.
fn define(call: &mut Call<'_>, kind: u32, name: u32, name_size: u32, to: u32) -> Answer {
    let name = String::from_utf8_lossy(&call.bytes(name, name_size)?).into_owned();
    let kind = match kind {
        0 => MetricKind::Counter,
        1 => MetricKind::Gauge,
        2 => MetricKind::Histogram,
        _ => return Err(Status::BadArgument.into()),
    };
    let state = call.state();
    if state.stream().is_some() {
        state.find(Lapse::MetricOnRequest, || format!("{name:?} is defined"));
    }
    state.shared.borrow_mut().stat(kind, &name);
    let id = state.metrics.define(kind, name);
    call.put_u32(to, id)
}

/// A counter takes only what makes it grow.
fn increment(call: &mut Call<'_>, id: u32, by: i64) -> Answer {
    if matches!(Metrics::kind_of(id), None | Some(MetricKind::Histogram)) {
        return Err(Status::BadArgument.into());
    }
    with_stat(call, id, |stat| {
        match stat {
            Stat::Counter(value) if by > 0 => *value = value.wrapping_add_signed(by),
            Stat::Gauge(value) => *value = value.wrapping_add_signed(by),
            Stat::Counter(_) | Stat::Histogram(_) => return Err(Status::BadArgument),
        }
        Ok(())
    })
}

/// Recording into a counter adds, as in Envoy.
fn record(call: &mut Call<'_>, id: u32, value: u64) -> Answer {
    with_stat(call, id, |stat| {
        match stat {
            Stat::Counter(sum) => *sum = sum.wrapping_add(value),
            Stat::Gauge(cell) => *cell = value,
            Stat::Histogram(values) => values.push(value),
        }
        Ok(())
    })
}

fn get(call: &mut Call<'_>, id: u32, to: u32) -> Answer {
    if matches!(Metrics::kind_of(id), None | Some(MetricKind::Histogram)) {
        return Err(Status::BadArgument.into());
    }
    let value = with_stat(call, id, |stat| match stat {
        Stat::Counter(value) | Stat::Gauge(value) => Ok(*value),
        Stat::Histogram(_) => Err(Status::BadArgument),
    })?;
    call.put_u64(to, value)
}

fn with_stat<T>(call: &mut Call<'_>, id: u32, then: impl FnOnce(&mut Stat) -> Result<T, Status>) -> Answer<T> {
    let state = call.state();
    let (kind, name) = state.metrics.get(id).ok_or(Status::NotFound)?;
    Ok(then(state.shared.borrow_mut().stat(*kind, name))?)
}
