//! Judges a request: as whom it counts, if it counts at all.

use std::sync::Arc;

use crate::{
    Access, Auth, AuthError, AuthResult, FetchSite, FirstPair, RpId, Settings, WebRequest,
};

/// What came with a request to say who sent it.
#[derive(Clone, Default)]
pub struct Credential {
    /// `Authorization: Bearer`; goes before everything else.
    pub bearer: Option<String>,
    /// The session cookie's value.
    pub cookie: Option<String>,
    /// `?api_token=`
    pub query_token: Option<String>,
}

/// As what a request counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// A bearer token, by its id.
    Token(String),
    /// A browser session, by the id of its row.
    Session(String),
    /// The user, over a loopback that was verified.
    Loopback,
    /// Anybody: authentication is off, or the first passkey is awaited and all is open until then.
    Open,
    /// Nobody.
    #[default]
    Nobody,
}

/// As what a request counts, and how far that reaches.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// As what.
    pub standing: Standing,
    /// How far: nowhere for nobody.
    pub access: Option<Arc<Access>>,
    /// The label of its token or passkey, for the record.
    pub label: String,
    /// Where the Host is not admitted: such a request reaches pairing only.
    pub host_admitted: bool,
    /// The relying party of its address, where there can be one.
    pub relying_party: Option<RpId>,
    /// Whether that has a passkey.
    pub paired: bool,
}

impl Auth {
    /// Judges a request of the gateway. Nobody is an answer and no error: some things are for anybody.
    /// The order: Host, origin of a change, bearer, query token, cookie, bypasses. Touches no disk.
    ///
    /// A bearer token that does not count is refused even where a bypass would let it in: whoever
    /// sends one means it. A cookie that does not count is passed over: browsers send what they have.
    pub fn judge(&self, request: &WebRequest, credential: &Credential) -> AuthResult<Admitted> {
        let nobody = self.nobody(request);
        if !request.safe && request.is_cross_origin() {
            return Err(AuthError::CrossOrigin);
        }
        if !nobody.host_admitted {
            return Ok(nobody);
        }
        let now_ms = self.clock.now_ms();
        let settings = self.tables.settings();
        if let Some(token) = presented_token(request, credential, settings) {
            return Ok(self.admit_token(token, now_ms)?.at(nobody));
        }
        if let Some(session) = self.admit_session(request, credential, &nobody, now_ms)? {
            return Ok(session.at(nobody));
        }
        let standing = if may_bypass(request, settings) {
            Standing::Loopback
        } else if is_open(request, settings, &nobody) {
            Standing::Open
        } else {
            return Ok(nobody);
        };
        Ok(Admitted {
            standing,
            access: Some(Arc::new(Access::Full)),
            ..nobody
        })
    }

    /// Judges a token sent over the socket.
    pub fn judge_token(&self, bearer: &str) -> AuthResult<Admitted> {
        let nobody = Admitted {
            host_admitted: true,
            ..Admitted::default()
        };
        let credential = self.admit_token(bearer, self.clock.now_ms())?;
        Ok(credential.at(nobody))
    }

    /// Whether the verdict depends on whose socket the peer's is: whether it is worth finding out.
    pub fn needs_peer(&self, request: &WebRequest, credential: &Credential) -> bool {
        let verified = WebRequest {
            owned: true,
            ..request.clone()
        };
        // Looked at first, since it is cheap and rules out most.
        may_bypass(&verified, self.tables.settings())
            && self
                .judge(&verified, credential)
                .is_ok_and(|admitted| admitted.standing == Standing::Loopback)
    }

    /// Whether somebody who was admitted still is: for calls that take long.
    pub fn still_counts(&self, admitted: &Admitted, request: Option<&WebRequest>) -> bool {
        let now_ms = self.clock.now_ms();
        let settings = self.tables.settings();
        let address = request.map(|request| (request, self.nobody(request)));
        let is_admitted = address
            .as_ref()
            .is_none_or(|(_, address)| address.host_admitted);
        let counts = match &admitted.standing {
            Standing::Token(id) => self
                .tables
                .token(id)
                .is_some_and(|held| held.row.counts(now_ms)),
            Standing::Session(id) => self
                .tables
                .session(id)
                .is_some_and(|session| session.counts(now_ms)),
            Standing::Loopback => bypasses(settings),
            Standing::Open => {
                address.is_some_and(|(request, address)| is_open(request, settings, &address))
            }
            Standing::Nobody => true,
        };
        // Where the Host was not admitted, nothing was granted that could be lost.
        counts && (is_admitted || !admitted.host_admitted)
    }

    /// What is known of the request's address.
    fn nobody(&self, request: &WebRequest) -> Admitted {
        let relying_party = RpId::of(&request.host).ok();
        let is_listed = || self.tables.admits(&request.host.name.to_string());
        Admitted {
            host_admitted: request.host.is_loopback() || is_listed(),
            paired: relying_party
                .as_ref()
                .is_some_and(|rp_id| self.tables.is_paired(rp_id)),
            relying_party,
            ..Admitted::default()
        }
    }

    fn admit_token(&self, token: &str, now_ms: i64) -> AuthResult<Counts> {
        let held = self.token_of(token, now_ms)?;
        self.tables.use_token(&held.row, now_ms);
        Ok(Counts {
            standing: Standing::Token(held.row.id.clone()),
            access: held.access,
            label: held.row.label.clone(),
        })
    }

    /// A session counts at the relying party where it was begun. It changes something only where the
    /// browser says that a page of this very origin asked: a cookie comes by itself.
    fn admit_session(
        &self,
        request: &WebRequest,
        credential: &Credential,
        nobody: &Admitted,
        now_ms: i64,
    ) -> AuthResult<Option<Counts>> {
        let cookie = credential.cookie.as_deref();
        let session = cookie.and_then(|cookie| self.session_of(cookie, now_ms));
        let session =
            session.filter(|session| nobody.relying_party.as_ref() == Some(&session.rp_id));
        let Some(session) = session else {
            return Ok(None);
        };
        let says_so = request.origin.is_some() || request.fetch_site == Some(FetchSite::SameOrigin);
        if !request.safe && !says_so {
            return Err(AuthError::CrossOrigin);
        }
        self.tables.use_session(&session, now_ms, request.peer.ip());
        let label = self.tables.passkey_label(&session.passkey_id);
        Ok(Some(Counts {
            standing: Standing::Session(session.id.clone()),
            access: Arc::new(Access::Full),
            label: label.unwrap_or_default(),
        }))
    }
}

/// A credential that counts.
struct Counts {
    standing: Standing,
    access: Arc<Access>,
    label: String,
}

impl Counts {
    /// The same, at an address of which this is known.
    fn at(self, address: Admitted) -> Admitted {
        Admitted {
            standing: self.standing,
            access: Some(self.access),
            label: self.label,
            ..address
        }
    }
}

fn presented_token<'a>(
    request: &WebRequest,
    credential: &'a Credential,
    settings: Settings,
) -> Option<&'a str> {
    let in_address = credential.query_token.as_deref();
    let in_address = in_address.filter(|_| settings.query_tokens && request.get);
    credential.bearer.as_deref().or(in_address)
}

/// Whether the user's own processes count without a credential. Not under `strict`: each of them
/// could pass for a gateway, with both ends of a connection of its own, and need no token after all.
fn bypasses(settings: Settings) -> bool {
    settings.loopback_bypass && !settings.strict
}

/// Whether the user's own process sent it, over the loopback and without a proxy between. Not by a name
/// below `localhost`: those are given to other programs' pages, too.
fn may_bypass(request: &WebRequest, settings: Settings) -> bool {
    bypasses(settings)
        && request.owned
        && request.host.is_this_machine()
        && is_local(request)
        && is_unprompted(request)
}

/// Whether both ends are this machine: a proxy on it would say so, or else keep the name that it was
/// asked for.
fn is_local(request: &WebRequest) -> bool {
    request.peer.ip().is_loopback() && request.host.is_loopback() && !request.forwarded
}

/// Whether no page of another origin asked for it: a program, a page of this origin, or an address
/// that was typed, which changes nothing.
fn is_unprompted(request: &WebRequest) -> bool {
    !request.is_cross_origin() && (request.safe || request.fetch_site != Some(FetchSite::None))
}

/// Whether everybody may everything here: authentication is off, or the first passkey is awaited
/// where that is to be so. Never at an address that can have no passkey, since it would stay so, and
/// never under `strict`, which asks everybody for a credential.
fn is_open(request: &WebRequest, settings: Settings, address: &Admitted) -> bool {
    let awaited = address.relying_party.is_some() && !address.paired;
    // Who comes from elsewhere and asks for `localhost` has made that up, to find a name that has no
    // passkey yet.
    let is_honest = !request.host.is_loopback() || is_local(request);
    let in_grace = settings.first_pair == FirstPair::Open && awaited && is_honest;
    !settings.strict && (!settings.require_auth || in_grace) && is_unprompted(request)
}
