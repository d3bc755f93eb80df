//! A server for one test.

use std::net::IpAddr;
use std::panic::Location;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use fleet::policy::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use storage::{Clock, Timestamp};
use tempfile::TempDir;
use tower::Service;

use crate::app::{AppState, app};
use crate::auth::NewAccount;
use crate::config::Config;
use crate::http::App;
use crate::http::auth::PeerAddress;
use crate::projection::ProjectionSettings;

pub(in crate::http) const PASSWORD: &str = "Depot-77x";

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(in crate::http) struct TestClock(AtomicI64);

impl TestClock {
    pub(in crate::http) fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

pub(in crate::http) struct TestServer {
    pub(in crate::http) state: AppState,
    pub(in crate::http) clock: Arc<TestClock>,
    app: Mutex<App>,
    pub(in crate::http) folder: TempDir,
}

/// An answer, read to its end.
pub(in crate::http) struct Answer {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(in crate::http) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The status being this one, whatever the body.
    #[track_caller]
    pub(in crate::http) fn expect_status(&self, status: u16) {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{body}");
    }

    /// The body, the status being this one.
    #[track_caller]
    pub(in crate::http) fn expect(&self, status: u16) -> Value {
        self.expect_at(status, Location::caller())
    }

    /// The same, as asked for at this place of a test.
    fn expect_at(&self, status: u16, place: &Location<'_>) -> Value {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{place}: {body}");
        if self.body.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The problem, which must be of this kind and complete.
    #[track_caller]
    pub(in crate::http) fn expect_problem(&self, status: u16, name: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            body["type"],
            format!("urn:railfleet:problem:{name}"),
            "{body}"
        );
        assert_eq!(body["status"], status);
        for member in ["title", "detail", "instance", "request_id"] {
            assert!(body[member].is_string(), "{member} in {body}");
        }
        assert_eq!(
            self.headers["x-request-id"],
            body["request_id"].as_str().unwrap()
        );
        body
    }

    pub(in crate::http) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl TestServer {
    pub(in crate::http) fn start() -> Self {
        TestServer::start_with(|_| {})
    }

    pub(in crate::http) fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        TestServer::start_in(tempfile::tempdir().unwrap(), change)
    }

    pub(in crate::http) fn start_in(folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(folder.path());
        config.auth.argon2_memory_kib = 8;
        config.auth.argon2_passes = 1;
        // The old rule: what most tests log in with is as short as it let them be.
        config.auth.password_chars_min = 8;
        change(&mut config);
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000_000)));
        let state =
            AppState::open_at(config, clock.clone(), ProjectionSettings::default()).unwrap();
        TestServer {
            app: Mutex::new(app(state.clone())),
            state,
            clock,
            folder,
        }
    }

    /// Stops, so that another server may open the folder.
    pub(in crate::http) fn stop(self) -> TempDir {
        self.state.stop();
        let TestServer {
            state, app, folder, ..
        } = self;
        drop((state, app));
        folder
    }

    /// An account of this role, and a token of it. The username is the role in lower case.
    pub(in crate::http) async fn token(&self, role: Role) -> String {
        let username = role.name().to_lowercase();
        let known = self.state.accounts.directory().find(&username).cloned();
        let account = match known {
            Some(account) => account,
            None => {
                let email = format!("{username}@depot.example");
                let new = NewAccount {
                    username,
                    email,
                    password: PASSWORD.to_owned(),
                    role,
                };
                self.state.accounts.register_locally(new).await.unwrap()
            }
        };
        self.state.accounts.local_token(&account).unwrap()
    }

    /// Sends a request as it is.
    pub(in crate::http) async fn send(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.app.lock().unwrap().call(request);
        answer.await.unwrap()
    }

    pub(in crate::http) async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.send(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(in crate::http) async fn get(&self, path: &str, token: &str) -> Answer {
        self.answer(request(Method::GET, path, token, &[], Body::empty()))
            .await
    }

    /// The body of a `GET` that is answered with 200.
    #[track_caller]
    pub(in crate::http) fn read(&self, path: &str, token: &str) -> impl Future<Output = Value> {
        let place = Location::caller();
        async move { self.get(path, token).await.expect_at(200, place) }
    }

    /// The body of a `POST` that is answered with 201.
    #[track_caller]
    pub(in crate::http) fn create(
        &self,
        path: &str,
        token: &str,
        body: Value,
    ) -> impl Future<Output = Value> {
        let place = Location::caller();
        async move { self.post(path, token, body).await.expect_at(201, place) }
    }

    /// The body of a `POST` that is answered with 200.
    #[track_caller]
    pub(in crate::http) fn act(
        &self,
        path: &str,
        token: &str,
        body: Value,
    ) -> impl Future<Output = Value> {
        let place = Location::caller();
        async move { self.post(path, token, body).await.expect_at(200, place) }
    }

    pub(in crate::http) async fn get_with(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.answer(request(Method::GET, path, token, headers, Body::empty()))
            .await
    }

    pub(in crate::http) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.post_with(path, token, &[], body).await
    }

    pub(in crate::http) async fn post_with(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.answer(request(
            Method::POST,
            path,
            token,
            &all,
            Body::from(body.to_string()),
        ))
        .await
    }

    /// Logs in from this address.
    pub(in crate::http) async fn login_from(
        &self,
        address: IpAddr,
        name: &str,
        password: &str,
    ) -> Answer {
        let body = json!({ "username": name, "password": password }).to_string();
        let headers = [("content-type", "application/json")];
        let mut request = request(
            Method::POST,
            "/api/v1/auth/login",
            "",
            &headers,
            Body::from(body),
        );
        request.extensions_mut().insert(PeerAddress(address));
        self.answer(request).await
    }

    pub(in crate::http) async fn login(&self, name: &str, password: &str) -> Answer {
        self.login_from(IpAddr::from([127, 0, 0, 1]), name, password)
            .await
    }

    /// Appends an event for the vehicle and gives the answer's body.
    pub(in crate::http) async fn append(
        &self,
        token: &str,
        aggregate_id: &str,
        event_type: &str,
        data: Value,
    ) -> Value {
        let body = json!({"aggregate_type": "Crane", "aggregate_id": aggregate_id, "event_type": event_type, "data": data});
        self.post("/api/v1/events", token, body).await.expect(201)
    }
}

/// A request; an empty token is none.
pub(in crate::http) fn request(
    method: Method,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}
