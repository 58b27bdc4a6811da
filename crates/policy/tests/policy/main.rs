//! The engine beside a naive evaluator, on services and requests made at random, and beside itself on mutated ones.

mod agree;
mod compare;
mod differences;
mod found;
mod generate;
mod mutate;
mod naive;
mod random;
