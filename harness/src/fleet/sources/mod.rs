//! One input → what it says of its host, on whose word.
//!
//! [`reading`] tells by its format which way an input is read: [`registers`] has those of KVM and of processors, [`names`] those that name
//! features and models. [`parts`] is what all of them are made of.

mod names;
mod parts;
mod reading;
mod registers;

pub use reading::Reading;
