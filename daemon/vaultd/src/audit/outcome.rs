//! How a call came out.

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How a call came out, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Not yet.
    Begun,
    /// As it should.
    Done,
    /// It was not let in, for this reason.
    Refused(String),
    /// It failed, for this reason.
    Failed(String),
    /// Nobody waited for it.
    Cancelled,
}

impl Ended {
    /// By the status of a call that was let in.
    pub fn of(status: &Status) -> Self {
        match status.code() {
            Code::Ok => Self::Done,
            Code::Cancelled => Self::Cancelled,
            Code::PermissionDenied | Code::Unauthenticated => Self::refused(status),
            _ => Self::Failed(reason(status)),
        }
    }

    /// By the status of one that was not.
    pub fn refused(status: &Status) -> Self {
        Self::Refused(reason(status))
    }

    /// By the headers or trailers of an answer, where they say.
    pub fn told(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key("grpc-status") {
            return None;
        }
        Some(Status::from_header_map(headers).map_or(Self::Done, |status| Self::of(&status)))
    }
}

/// The reason for programs, or what the transport has in its place.
fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    reason.unwrap_or_else(|| format!("{:?}", status.code()))
}

#[cfg(test)]
mod tests {
    use vault_proto::v1::Reason;

    use super::*;
    use crate::error::refusal;

    #[test]
    fn an_outcome_is_read_off_the_status() {
        let of = |reason| Ended::of(&refusal(reason, "", &[]));
        assert_eq!(of(Reason::NotFound), Ended::Failed("NOT_FOUND".into()));
        assert_eq!(
            of(Reason::PermissionDenied),
            Ended::Refused("PERMISSION_DENIED".into())
        );
        assert_eq!(
            of(Reason::Unauthenticated),
            Ended::Refused("UNAUTHENTICATED".into())
        );
        assert_eq!(of(Reason::Cancelled), Ended::Cancelled);
        let plain = Ended::of(&Status::unimplemented(""));
        assert_eq!(plain, Ended::Failed("Unimplemented".into()));
    }

    #[test]
    fn headers_say_it_only_where_there_is_a_status() {
        let failed = refusal(Reason::NotFound, "", &[]).into_http::<()>();
        let told = Ended::told(failed.headers());
        assert_eq!(told, Some(Ended::Failed("NOT_FOUND".into())));
        assert_eq!(Ended::told(&HeaderMap::new()), None);
        let mut ok = HeaderMap::new();
        ok.insert("grpc-status", http::HeaderValue::from_static("0"));
        assert_eq!(Ended::told(&ok), Some(Ended::Done));
    }
}
