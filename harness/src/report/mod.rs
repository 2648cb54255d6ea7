//! Results → what people and programs read; the only stage that prints.

pub mod changes;
pub mod compat;
pub mod html;
pub mod junit;
pub mod kcidb;
pub mod ktap;
pub mod layers;
pub mod markdown;
pub mod migration;
pub mod progress;
pub mod summary;
pub mod view;
