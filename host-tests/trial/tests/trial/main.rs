//! The trial as its README has people try it: the app through Envoy, its dashboard and its alerts, a browser.

mod app;
mod browser;
mod compose;
mod dashboard;
mod readme;
