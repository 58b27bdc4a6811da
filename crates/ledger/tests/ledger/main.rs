//! A log that is whole verifies, here and with other people's programs; every change to it is found; no crash breaks it.

mod crash;
mod failing;
mod foreign;
mod golden;
mod limits;
mod round_trip;
mod shared;
mod support;
mod tampering;
mod writers;
