//! The built module in the host: what requests, visitors and configuration pushes get from it.

mod budgets;
mod bytes;
mod contexts;
mod depth;
mod effects;
mod faults;
mod guard;
mod keys;
mod lifecycle;
mod missing;
mod mistakes;
mod pairs;
mod parity;
mod profiles;
mod pushes;
mod routing;
mod schedule;
mod site;
mod sticky;
mod wire;
