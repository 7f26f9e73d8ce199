//! Every route, asked by everybody, in every way.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::{Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use vault_client::Client;
use vault_gateway::routes;

use crate::{
    credentials::{Credentials, bypass},
    expected::{
        BARE, Bypass, CREDENTIALS, FOREIGN, HOME, LOOPBACK, NUMBER, OFF, ON, Origin, Place, SAME,
        UNLISTED, expected,
    },
    http1::Connection,
    requests::{Asked, REQUESTS},
    vault::Vault,
};

/// Hosts, and what they are to the vault.
const HOSTS: [(&str, Place); 5] = [
    ("localhost", HOME),
    ("127.0.0.1", LOOPBACK),
    ("unlisted.example", UNLISTED),
    // Its name leads here since a while: to the browser, its page is of this origin.
    ("attacker.example", UNLISTED),
    ("192.0.2.7", NUMBER),
];

const ORIGINS: [Origin; 3] = [BARE, SAME, FOREIGN];

/// What a caller writes who would like to be taken for a proxy that forwards this machine's own user.
const FORGED: [(&str, &str); 4] = [
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "localhost"),
    ("x-forwarded-proto", "https"),
    ("forwarded", "for=127.0.0.1;host=localhost;proto=https"),
];

/// Why somebody is not let in. Whoever is may still be refused, but for none of these.
const REASONS: [&str; 6] = [
    "UNAUTHENTICATED",
    "PAIRING_REQUIRED",
    "PERMISSION_DENIED",
    "HOST_NOT_ADMITTED",
    "CROSS_ORIGIN",
    "ORIGIN_UNFIT",
];

/// There is one rotation at a time.
const ROTATE: &str = "/api/key/rotate";

/// Calls that are in flight at once.
const CONNECTIONS: usize = 8;

/// One way to ask.
#[derive(Clone, Copy, Debug)]
struct Case {
    host: &'static str,
    place: Place,
    origin: Origin,
    forged: bool,
    /// Which of [`CREDENTIALS`].
    credential: usize,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for (host, place) in HOSTS {
            for origin in ORIGINS {
                for forged in [false, true] {
                    for credential in 0..CREDENTIALS.len() {
                        cases.push(Self {
                            host,
                            place,
                            origin,
                            forged,
                            credential,
                        });
                    }
                }
            }
        }
        cases
    }

    /// Whether the bypass, where it is on, is for this case.
    fn bypass(self, on: bool) -> Bypass {
        if on && !self.forged && self.origin != FOREIGN {
            ON
        } else {
            OFF
        }
    }

    fn request(self, vault: &Vault, who: &Credentials, asked: &Asked) -> Request<Full<Bytes>> {
        let authority = vault.authority(self.host);
        let mut request = Request::builder()
            .method(asked.method)
            .uri(asked.address())
            .header(header::HOST, &authority);
        if asked.body.starts_with('{') {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request = match self.origin {
            SAME => request
                .header(header::ORIGIN, format!("http://{authority}"))
                .header("sec-fetch-site", "same-origin"),
            FOREIGN => request
                .header(header::ORIGIN, "https://attacker.example")
                .header("sec-fetch-site", "cross-site"),
            _ => request,
        };
        if self.forged {
            for (name, value) in FORGED {
                request = request.header(name, value);
            }
        }
        let bearer = match self.credential {
            1 => {
                request = request.header(header::COOKIE, &who.cookie);
                None
            }
            2 => Some(&who.token),
            3 => Some(&who.revoked),
            4 => Some(&who.expired),
            5 => Some(&who.narrow),
            _ => None,
        };
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::from(asked.body)).expect("a request")
    }
}

/// The vault under test, and what there is to be let in by.
struct Stage {
    vault: Vault,
    owner: Client,
    who: Credentials,
    bypass: bool,
}

impl Stage {
    /// Sends one case: what is wrong with the answer, and whether it was let in.
    async fn ask(&self, to: &mut Connection, asked: &Asked, case: Case) -> (Option<String>, bool) {
        let answer = to.send(case.request(&self.vault, &self.who, asked)).await;
        let way = (case.place, case.origin, case.bypass(self.bypass));
        let expected = expected(asked.expected, way, case.credential);
        let status = expected.unwrap_or(asked.admitted);
        let text = answer.text();
        let says = |reason: &&str| text.contains(&format!("\"reason\":\"{reason}\""));
        let kept_out = REASONS.iter().any(says);
        let is_so = answer.status == status && kept_out == expected.is_some();
        let wrong = (!is_so).then(|| {
            format!(
                "{} {} with {} at {}, {:?}, forged: {}, bypass: {}: {} and not {status}: {}",
                asked.method,
                asked.route,
                CREDENTIALS[case.credential],
                case.host,
                case.origin,
                case.forged,
                self.bypass,
                answer.status.as_u16(),
                text,
            )
        });
        (wrong, answer.status.is_success())
    }

    /// Asks for a route in every way.
    async fn walk(&mut self, pool: &mut [Connection], asked: &Asked, wrong: &mut Vec<String>) {
        let cases = Case::all();
        if asked.ends_credentials() || asked.route == ROTATE {
            // One after the other: what is let in ends what others are let in by, or works alone.
            for case in cases {
                let (found, admitted) = self.ask(&mut pool[0], asked, case).await;
                wrong.extend(found);
                if admitted && asked.ends_credentials() {
                    self.who = Credentials::make(&self.vault, &self.owner).await;
                }
            }
            return;
        }
        let share = cases.len().div_ceil(pool.len());
        let shares = pool.iter_mut().zip(cases.chunks(share));
        let stage = &*self;
        let asking = shares.map(|(connection, cases)| async move {
            let mut found = Vec::new();
            for case in cases {
                found.extend(stage.ask(connection, asked, *case).await.0);
            }
            found
        });
        wrong.extend(join_all(asking).await.into_iter().flatten());
    }
}

impl Asked {
    /// Whether it ends sessions or tokens once it is let in.
    fn ends_credentials(&self) -> bool {
        let ending = ["/api/auth/sessions", "/api/auth/token"];
        self.route == "/api/auth/logout"
            || self.route == "/api/auth/accept"
            || self.method == "DELETE" && ending.contains(&self.route)
    }
}

#[test]
fn every_route_is_asked() {
    let served: BTreeSet<(&str, &str)> = routes::all()
        .map(|route| (route.method.name(), route.path))
        .collect();
    let asked: BTreeSet<(&str, &str)> = REQUESTS
        .iter()
        .map(|asked| (asked.method, asked.route))
        .collect();
    assert!(served.len() > 50, "the table was read");
    let new: Vec<_> = served.difference(&asked).collect();
    assert!(new.is_empty(), "who gets in here? {new:?}");
    let gone: Vec<_> = asked.difference(&served).collect();
    assert!(gone.is_empty(), "there is no such route: {gone:?}");
}

#[tokio::test]
async fn everybody_gets_in_where_it_is_written_and_nowhere_else() {
    let vault = Vault::start("info");
    let owner = vault.owner().await;
    let who = Credentials::make(&vault, &owner).await;
    let mut stage = Stage {
        vault,
        owner,
        who,
        bypass: false,
    };
    let address = stage.vault.address();
    let mut pool: Vec<_> = (0..CONNECTIONS).map(|_| Connection::to(address)).collect();
    let mut wrong = Vec::new();
    for on in [false, true] {
        bypass(&stage.owner, on).await;
        stage.bypass = on;
        for asked in REQUESTS {
            stage.walk(&mut pool, asked, &mut wrong).await;
        }
    }
    let count = wrong.len();
    wrong.truncate(60);
    assert_eq!(count, 0, "of {} cases:\n{}", cases(), wrong.join("\n"));
}

fn cases() -> usize {
    2 * REQUESTS.len() * Case::all().len()
}
