//! What an operator may see: metrics with closed label sets, log records of a closed schema, and
//! the guard that writes both, once, when a request ends.

mod log;
mod metrics;
mod request;

pub use log::{Log, Record};
pub use metrics::{Definition, Metrics};
pub use request::{Picture, Request, Stages};
