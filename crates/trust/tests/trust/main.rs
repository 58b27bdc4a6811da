//! Keys, secrets and tokens, through their public names; services are real ones.

mod keyring;
mod services;
mod tokens;
