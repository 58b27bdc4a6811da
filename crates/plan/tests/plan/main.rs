//! The compiler as its users meet it: project files in, decisions or diagnostics out.

mod attacks;
mod classification;
mod decisions;
mod execution;
mod naive;
mod refusals;
mod spark;
mod statements;
mod support;
