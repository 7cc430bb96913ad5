//! What is made of comparisons: tables for the terminal and for documents, and plots.

mod bars;
mod curve;
mod svg;
mod table;

pub(crate) use bars::bars;
pub(crate) use curve::curve;
pub(crate) use table::table;
