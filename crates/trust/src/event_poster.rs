//! Posting an event to a server outside of the project's own services: a secret goes with it by TLS or on this machine
//! only, which whoever names the server has checked.

use std::sync::Arc;
use std::time::Duration;

use crate::error::TrustError;
use crate::network::{self, Network, root_of};
use crate::site::Site;

/// How long a server may take for one event.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that posts JSON. It follows no redirection.
pub struct EventPoster {
    network: Arc<Network>,
    client: reqwest::Client,
}

impl EventPoster {
    /// Prepares a client with the project's own way of securing connections; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Certificates that cannot be read.
    pub fn new(site: &Site) -> Result<Self, TrustError> {
        let client = network::event_client(&site.tls(None)?, POST_TIMEOUT)?;
        Ok(Self { network: site.network()?, client })
    }

    /// Posts a body, and gives the status of the answer. Must not be called from a task of a runtime.
    ///
    /// # Errors
    ///
    /// Why there was no answer.
    pub fn post(&self, url: &str, bearer: Option<&str>, body: String) -> Result<u16, String> {
        let request = self.client.post(url).header("content-type", "application/json").body(body);
        let request = match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        // The request's timeout belongs to a runtime from its first step on.
        let answer = self.network.wait(async { request.send().await });
        answer.map(|answer| answer.status().as_u16()).map_err(|error| root_of(&error.without_url()))
    }
}
