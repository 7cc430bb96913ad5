//! Who asks: admitted and authenticated, before anything is opened for them.

use http::{Extensions, HeaderMap, Uri};
use parlor_core::{
    Applicant, Realtime,
    auth::{Handshake, Principal},
};

use crate::{PeerAddr, Refusal, peer::client_addr};

/// The client of a request whose Origin was judged already: it has a place, and somebody vouched for it.
pub(crate) async fn authenticated(
    realtime: &Realtime,
    extensions: &Extensions,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(Applicant, Principal), Refusal> {
    let applicant = realtime.admit(client_addr(realtime, extensions, headers).map(|client| client.ip()))?;
    let peer = extensions.get::<PeerAddr>().map(|peer| peer.0);
    let principal = applicant.authenticate(Handshake::new(headers, uri, peer)).await?;
    Ok((applicant, principal))
}
