//! A request for every route of the gateway's table: one that, once it is let in, has a known answer
//! and leaves everything as it was.

use crate::expected::{self, Line};

/// A request for a route.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    /// As it stands in the table.
    pub(crate) route: &'static str,
    /// What follows the path.
    query: &'static str,
    /// The address in its stead, where another name is needed than one that is absent.
    address: &'static str,
    /// JSON, or nothing.
    pub(crate) body: &'static str,
    /// Who is let in.
    pub(crate) expected: &'static [Line],
    /// The status for whoever is let in: 403, too, for a code that is none.
    pub(crate) admitted: u16,
}

const fn get(route: &'static str, expected: &'static [Line], admitted: u16) -> Asked {
    Asked {
        method: "GET",
        route,
        query: "",
        address: "",
        body: "",
        expected,
        admitted,
    }
}

const fn delete(route: &'static str, expected: &'static [Line], admitted: u16) -> Asked {
    Asked {
        method: "DELETE",
        ..get(route, expected, admitted)
    }
}

const fn send(
    method: &'static str,
    route: &'static str,
    body: &'static str,
    expected: &'static [Line],
    admitted: u16,
) -> Asked {
    Asked {
        method,
        body,
        ..get(route, expected, admitted)
    }
}

impl Asked {
    const fn with(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    const fn at(self, address: &'static str) -> Self {
        Self { address, ..self }
    }

    /// The address, with what is not there in the place of names.
    pub(crate) fn address(&self) -> String {
        if !self.address.is_empty() {
            return self.address.to_owned();
        }
        let path = self
            .route
            .replace("{store}", "absent")
            .replace("{*name}", "absent/file")
            .replace("{id}", "absent")
            .replace("{code}", "BCDF-GHJK")
            .replace("{host}", "absent.example")
            .replace("{reference}", &"0".repeat(64));
        format!("{path}{}", self.query)
    }
}

use expected::{
    ANYBODY, BEGIN_LOGIN, BEGIN_REGISTRATION, CEREMONY, CHANGE, DECISION, IDENTITY, LOGOUT,
    PROGRAM, READ, READ_ANY, RULES, SHOWN, STATIC,
};

const LOGIN: &str = r#"{"ceremony":"absent","credential":{}}"#;

/// Every route of the gateway, in the order of its table.
pub(crate) const REQUESTS: &[Asked] = &[
    get("/healthz", STATIC, 200),
    get("/api/openapi.json", STATIC, 200),
    get("/api/auth/status", IDENTITY, 200),
    send(
        "POST",
        "/api/auth/register/begin",
        "{}",
        BEGIN_REGISTRATION,
        200,
    ),
    send("POST", "/api/auth/register/finish", LOGIN, CEREMONY, 400),
    send("POST", "/api/auth/login/begin", "{}", BEGIN_LOGIN, 200),
    send("POST", "/api/auth/login/finish", LOGIN, ANYBODY, 400),
    send("POST", "/api/auth/logout", "", LOGOUT, 204),
    send("PATCH", "/api/auth/settings", "{}", RULES, 200),
    send("POST", "/api/auth/accept", "", RULES, 200),
    get("/api/auth/activity", READ, 200),
    get("/api/auth/passkeys", READ, 200),
    delete("/api/auth/passkeys", CHANGE, 200).with("?rp_id=absent.example"),
    send(
        "PATCH",
        "/api/auth/passkeys/{id}",
        r#"{"label":"x"}"#,
        CHANGE,
        404,
    ),
    delete("/api/auth/passkeys/{id}", CHANGE, 404),
    get("/api/auth/sessions", READ, 200),
    delete("/api/auth/sessions", CHANGE, 200),
    delete("/api/auth/sessions/{id}", CHANGE, 404),
    get("/api/auth/token", READ, 200),
    send(
        "POST",
        "/api/auth/token",
        r#"{"label":"","scopes":[]}"#,
        CHANGE,
        400,
    ),
    delete("/api/auth/token", CHANGE, 200),
    delete("/api/auth/token/{id}", CHANGE, 404),
    send(
        "POST",
        "/api/auth/pair",
        r#"{"host":"no host"}"#,
        CHANGE,
        400,
    ),
    delete("/api/auth/pair", CHANGE, 204),
    get("/api/auth/hosts", READ, 200),
    send(
        "POST",
        "/api/auth/hosts",
        r#"{"host":"no host"}"#,
        CHANGE,
        400,
    ),
    delete("/api/auth/hosts/{host}", CHANGE, 404),
    send(
        "POST",
        "/api/auth/device",
        r#"{"label":"","scopes":[]}"#,
        PROGRAM,
        400,
    ),
    get("/api/auth/device/{code}", SHOWN, 403),
    send(
        "POST",
        "/api/auth/device/{code}",
        r#"{"approve":false}"#,
        DECISION,
        403,
    ),
    send(
        "POST",
        "/api/auth/authorize",
        r#"{"label":"","scopes":[],"code_challenge":"","redirect_uri":""}"#,
        DECISION,
        400,
    ),
    send(
        "POST",
        "/api/auth/exchange",
        r#"{"device_code":"absent"}"#,
        PROGRAM,
        403,
    ),
    get("/api/status", READ_ANY, 200),
    get("/api/stores", READ_ANY, 200),
    send(
        "POST",
        "/api/stores",
        r#"{"name":"No Name","kind":"documents"}"#,
        CHANGE,
        400,
    ),
    get("/api/stores/{store}", READ_ANY, 404),
    delete("/api/stores/{store}", CHANGE, 404),
    get("/api/stores/{store}/documents", READ, 404),
    get("/api/stores/{store}/documents/{id}", READ, 404),
    send(
        "PUT",
        "/api/stores/{store}/documents/{id}",
        "{}",
        CHANGE,
        404,
    ),
    send(
        "PATCH",
        "/api/stores/{store}/documents/{id}",
        "{}",
        CHANGE,
        404,
    ),
    delete("/api/stores/{store}/documents/{id}", CHANGE, 404),
    get("/api/stores/{store}/watch", READ, 404),
    get("/api/blobs", READ, 404).with("?store=absent"),
    send("PUT", "/api/blobs", "{}", CHANGE, 400).with("?store=No+Name"),
    send("POST", "/api/blobs", "{}", CHANGE, 400).with("?store=No+Name"),
    get("/api/blobs/{reference}", READ, 404),
    delete("/api/blobs/{reference}", CHANGE, 404),
    get("/api/files", READ_ANY, 200),
    get("/api/files/{store}", READ, 404),
    get("/api/files/{store}/{*name}", READ, 404),
    // A write makes its store where there is none: this name is one that none can have.
    send("PUT", "/api/files/{store}/{*name}", "{}", CHANGE, 400).at("/api/files/No%20Name/file"),
    delete("/api/files/{store}/{*name}", CHANGE, 404),
    get("/api/connections", READ, 200),
    get("/api/connections/{id}", READ, 404),
    send(
        "PUT",
        "/api/connections/{id}",
        r#"{"base_url":"none"}"#,
        CHANGE,
        400,
    ),
    delete("/api/connections/{id}", CHANGE, 404),
    send("POST", "/api/connections/{id}/activate", "", CHANGE, 404),
    get("/api/maintenance", READ_ANY, 200),
    send(
        "POST",
        "/api/maintenance",
        r#"{"store":"absent"}"#,
        CHANGE,
        404,
    ),
    get("/api/key", READ_ANY, 200),
    send("POST", "/api/key/rotate", "{}", CHANGE, 200),
    send("POST", "/api/key/pause", "", CHANGE, 409),
    send("POST", "/api/key/resume", "", CHANGE, 409),
    send("POST", "/api/key/rollback", "", CHANGE, 409),
    send(
        "POST",
        "/api/export",
        r#"{"form":"sealed","recipients":["nobody"]}"#,
        CHANGE,
        400,
    ),
];
