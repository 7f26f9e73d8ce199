//! What everybody gets everywhere, written by hand. Of several lines that fit a case, the first counts.
//!
//! Three rules stand behind all of it: a change that a page of another origin asks for is refused
//! first; a Host that is not admitted reaches nothing but pairing; then it is the credential that
//! counts, and where there is none, perhaps the machine's own user.

/// Where a request says that it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u8);

/// `localhost`: admitted, and it has a passkey.
pub(crate) const HOME: Place = Place(1);
/// `127.0.0.1`: admitted, but an address has no passkeys, so no session counts there.
pub(crate) const LOOPBACK: Place = Place(2);
/// A name that nobody admitted, be it that one was sent there or that it was rebound.
pub(crate) const UNLISTED: Place = Place(4);
/// An address that nobody admitted.
pub(crate) const NUMBER: Place = Place(8);

/// Where a request says that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(u8);

/// It does not say.
pub(crate) const BARE: Origin = Origin(1);
/// A page of the same origin.
pub(crate) const SAME: Origin = Origin(2);
/// A page of another one.
pub(crate) const FOREIGN: Origin = Origin(4);

/// Whether the loopback bypass applies: it is on, no proxy stands between, no other page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bypass(u8);

pub(crate) const OFF: Bypass = Bypass(1);
pub(crate) const ON: Bypass = Bypass(2);

macro_rules! sets {
    ($($set:ident)*) => {
        $(impl $set {
            fn has(self, one: Self) -> bool {
                self.0 & one.0 != 0
            }
        })*
    };
}

sets!(Place Origin Bypass);

const ADMITTED: Place = Place(HOME.0 | LOOPBACK.0);
const ELSEWHERE: Place = Place(UNLISTED.0 | NUMBER.0);
const ANYWHERE: Place = Place(ADMITTED.0 | ELSEWHERE.0);
const OWN: Origin = Origin(BARE.0 | SAME.0);
const ANY: Origin = Origin(OWN.0 | FOREIGN.0);
const EITHER: Bypass = Bypass(OFF.0 | ON.0);

/// Who asks, in the order of the columns.
pub(crate) const CREDENTIALS: [&str; 6] =
    ["nothing", "cookie", "token", "revoked token", "expired token", "token of another store"];

/// In a column: whoever is let in gets what the request itself deserves.
const YES: u16 = 0;

/// A line: what everybody gets where it fits.
pub(crate) struct Line(Place, Origin, Bypass, [u16; 6]);

/// What is expected of a case: a status, or `None` where it is let in.
pub(crate) fn expected(
    lines: &[Line],
    (place, origin, bypass): (Place, Origin, Bypass),
    credential: usize,
) -> Option<u16> {
    let fits = |line: &&Line| line.0.has(place) && line.1.has(origin) && line.2.has(bypass);
    let line = lines.iter().find(fits);
    let line = line.unwrap_or_else(|| panic!("no line for {place:?} {origin:?} {bypass:?}"));
    Some(line.3[credential]).filter(|status| *status != YES)
}

/// What is the same for everybody.
pub(crate) const STATIC: &[Line] = &[
    Line(ANYWHERE, ANY, EITHER, [YES, YES, YES, YES, YES, YES]),
];

/// What reads a store, or the vault.      nothing cookie token revoked expired other
pub(crate) const READ: &[Line] = &[
    Line(HOME,      ANY,     OFF,    [401, YES, YES, 401, 401, 403]),
    Line(HOME,      ANY,     ON,     [YES, YES, YES, 401, 401, 403]),
    Line(LOOPBACK,  ANY,     OFF,    [401, 401, YES, 401, 401, 403]),
    Line(LOOPBACK,  ANY,     ON,     [YES, YES, YES, 401, 401, 403]),
    Line(ELSEWHERE, ANY,     EITHER, [403, 403, 403, 403, 403, 403]),
];

/// What shows each caller as much as is for it.
pub(crate) const READ_ANY: &[Line] = &[
    Line(HOME,      ANY,     OFF,    [401, YES, YES, 401, 401, YES]),
    Line(HOME,      ANY,     ON,     [YES, YES, YES, 401, 401, YES]),
    Line(LOOPBACK,  ANY,     OFF,    [401, 401, YES, 401, 401, YES]),
    Line(LOOPBACK,  ANY,     ON,     [YES, YES, YES, 401, 401, YES]),
    Line(ELSEWHERE, ANY,     EITHER, [403, 403, 403, 403, 403, 403]),
];

/// What changes a store, or the vault.
pub(crate) const CHANGE: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    // A cookie comes by itself: the browser must say that it was this origin's own page that asked.
    Line(HOME,      BARE,    OFF,    [401, 403, YES, 401, 401, 403]),
    Line(HOME,      BARE,    ON,     [YES, 403, YES, 401, 401, 403]),
    Line(HOME,      SAME,    OFF,    [401, YES, YES, 401, 401, 403]),
    Line(HOME,      SAME,    ON,     [YES, YES, YES, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     OFF,    [401, 401, YES, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     ON,     [YES, YES, YES, 401, 401, 403]),
];

/// What the caller is: answered to all but those whose token does not count.
pub(crate) const IDENTITY: &[Line] = &[
    Line(ADMITTED,  ANY,     EITHER, [YES, YES, YES, 401, 401, YES]),
    Line(ELSEWHERE, ANY,     EITHER, [YES, YES, YES, YES, YES, YES]),
];

/// A passkey more: for those who are let in already. No code is sent along here.
pub(crate) const BEGIN_REGISTRATION: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    OFF,    [401, 403, 403, 401, 401, 403]),
    Line(HOME,      BARE,    ON,     [YES, 403, 403, 401, 401, 403]),
    Line(HOME,      SAME,    OFF,    [401, YES, 403, 401, 401, 403]),
    Line(HOME,      SAME,    ON,     [YES, YES, 403, 401, 401, 403]),
    // No address can have passkeys, nor can a name without HTTPS, and that is said.
    Line(LOOPBACK,  OWN,     EITHER, [400, 400, 403, 401, 401, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [400, 400, 400, 400, 400, 400]),
];

/// The end of a ceremony that has not begun: pairing, and so for every Host.
pub(crate) const CEREMONY: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    EITHER, [YES, 403, 403, 401, 401, 403]),
    Line(ADMITTED,  OWN,     EITHER, [YES, YES, 403, 401, 401, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [YES, YES, YES, YES, YES, YES]),
];

/// What a browser asks before anybody has signed in. A token takes no part in it.
pub(crate) const ANYBODY: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    EITHER, [YES, 403, 403, 401, 401, 403]),
    Line(ADMITTED,  OWN,     EITHER, [YES, YES, 403, 401, 401, 403]),
];

/// The same, where there can be passkeys.
pub(crate) const BEGIN_LOGIN: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    EITHER, [YES, 403, 403, 401, 401, 403]),
    Line(HOME,      SAME,    EITHER, [YES, YES, 403, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     EITHER, [400, 400, 403, 401, 401, 403]),
];

/// The end of a session, or of the token that is sent: nothing is said of a session that is over.
pub(crate) const LOGOUT: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    EITHER, [YES, 403, YES, YES, YES, YES]),
    Line(ADMITTED,  OWN,     EITHER, [YES, YES, YES, YES, YES, YES]),
];

/// A program that has no token yet.
pub(crate) const PROGRAM: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    EITHER, [YES, 403, YES, 401, 401, YES]),
    Line(ADMITTED,  OWN,     EITHER, [YES, YES, YES, 401, 401, YES]),
];

/// What a program asks for, shown to somebody at a browser. No token sees it.
pub(crate) const SHOWN: &[Line] = &[
    Line(ELSEWHERE, ANY,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      ANY,     OFF,    [401, YES, 403, 401, 401, 403]),
    Line(HOME,      ANY,     ON,     [YES, YES, 403, 401, 401, 403]),
    Line(LOOPBACK,  ANY,     OFF,    [401, 401, 403, 401, 401, 403]),
    Line(LOOPBACK,  ANY,     ON,     [YES, YES, 403, 401, 401, 403]),
];

/// Somebody at a browser lets a program in. No token does.
pub(crate) const DECISION: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      BARE,    OFF,    [401, 403, 403, 401, 401, 403]),
    Line(HOME,      BARE,    ON,     [YES, 403, 403, 401, 401, 403]),
    Line(HOME,      SAME,    OFF,    [401, YES, 403, 401, 401, 403]),
    Line(HOME,      SAME,    ON,     [YES, YES, 403, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     OFF,    [401, 401, 403, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     ON,     [YES, YES, 403, 401, 401, 403]),
];

/// The rules themselves: for nobody whose being let in is one of them, but the machine's own user.
pub(crate) const RULES: &[Line] = &[
    Line(ANYWHERE,  FOREIGN, EITHER, [403, 403, 403, 403, 403, 403]),
    Line(ELSEWHERE, OWN,     EITHER, [403, 403, 403, 403, 403, 403]),
    Line(HOME,      OWN,     OFF,    [401, 403, 403, 401, 401, 403]),
    Line(HOME,      OWN,     ON,     [YES, 403, 403, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     OFF,    [401, 401, 403, 401, 401, 403]),
    Line(LOOPBACK,  OWN,     ON,     [YES, YES, 403, 401, 401, 403]),
];
