//! Keys, secrets and tokens, through their public names; services are real ones.

mod key_services;
mod keyring;
mod services;
mod tls;
mod tls_server;
mod tokens;
mod vault;
