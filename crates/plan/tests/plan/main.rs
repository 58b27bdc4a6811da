//! The compiler as its users meet it: project files in, decisions or diagnostics out.

mod classification;
mod decisions;
mod execution;
mod refusals;
mod statements;
mod support;
