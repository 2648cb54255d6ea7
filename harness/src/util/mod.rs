//! What every room uses: processes, files that are there whole or not at all, shell quoting, the natural order of names.

pub mod cache;
pub mod cancel;
pub mod deadline;
mod destination;
pub mod files;
pub mod jobs;
pub mod launch;
mod leash;
pub mod limits;
pub mod lock;
pub mod near;
pub mod open;
pub mod order;
pub mod os_error;
pub mod output;
pub mod owner;
pub mod path;
pub mod printable;
pub mod process;
pub mod shell;
pub mod signals;
pub mod snapshot;
pub mod spawn;
pub mod supervise;
pub mod terminal;
pub mod text;
