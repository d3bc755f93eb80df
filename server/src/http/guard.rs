//! The layer around every route: who calls, whether they may, whether the route takes what they ask, and how long it took.
//!
//! It knows the route by the path as it was registered, looks it up in tables made at start, and lets nobody in whom
//! [`super::access`] does not name. Handlers find the caller in the request's extensions.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::MatchedPath;
use axum::http::{HeaderMap, Method, Request, Response, header};
use axum::response::IntoResponse as _;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use utoipa::openapi::OpenApi;

use super::access::{Access, ROUTES};
use super::auth::PeerAddress;
use super::problem::{Kind, Problem};
use super::rates::{Asker, Buckets, Policy, Standing, class_of};
use super::{openapi, query};
use crate::app::AppState;
use crate::audit::SecurityLog;
use crate::audit::security::RefusedWrite;
use crate::auth::Caller;
use crate::metrics::RouteMetrics;
use crate::sync::contact;
use crate::sync::devices::DeviceCaller;
use crate::sync::token;

/// The route of logins.
const LOGIN: &str = "/api/v1/auth/login";

/// What the guard knows of a route.
#[derive(Clone, Debug)]
struct Entry {
    method: Method,
    access: Access,
    metrics: RouteMetrics,
    /// The query parameters that it takes; `None` for pages, which are not described.
    parameters: Option<Vec<String>>,
    /// How often one may ask it, if that is bounded.
    policy: Option<Policy>,
}

/// Makes [`Guard`]s.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    state: AppState,
    routes: Arc<HashMap<&'static str, Vec<Entry>>>,
    buckets: Arc<Buckets>,
}

impl GuardLayer {
    /// A guard for the table's routes, as they are described.
    pub fn new(state: AppState, description: &OpenApi) -> Self {
        let mut routes: HashMap<&'static str, Vec<Entry>> = HashMap::new();
        for line in ROUTES {
            routes.entry(line.path).or_default().push(Entry {
                method: line.method.clone(),
                access: line.access,
                metrics: state.metrics.route(&line.method, line.path),
                parameters: openapi::operation(description, &line.method, line.path)
                    .map(query::described),
                policy: policy_of(&state, &line.method, line.path),
            });
        }
        GuardLayer {
            state,
            routes: Arc::new(routes),
            buckets: Arc::default(),
        }
    }
}

impl GuardLayer {
    /// Counts a request of a class that has a rate.
    fn take(&self, policy: Policy, asker: &Asker<'_>) -> Standing {
        let standing = self.buckets.take(policy, asker, self.state.clock.now());
        if standing.is_refused() {
            self.state.metrics.count_rate_limited(policy.class.name());
        }
        standing
    }
}

/// How often one may ask a route; `None` where nobody counts.
fn policy_of(state: &AppState, method: &Method, path: &str) -> Option<Policy> {
    let class = class_of(method, path)?;
    let rate = state.config.rates.rate(class)?;
    Some(Policy { class, rate })
}

/// Whose requests are counted together. A tablet has its own share, whoever carries it.
fn asker_of<'a>(
    caller: Option<&Caller>,
    device: Option<&'a DeviceCaller>,
    address: Option<IpAddr>,
) -> Asker<'a> {
    match (device, caller) {
        (Some(device), _) => Asker::Device(&device.device.id),
        (None, Some(caller)) => Asker::Account(caller.account().id),
        // Without a listener there is no address, and whoever asks is one and the same.
        (None, None) => Asker::Address(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
    }
}

/// What was learned of a request before it was let in or refused.
#[derive(Debug, Default)]
struct Noted {
    metrics: Option<RouteMetrics>,
    standing: Option<Standing>,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            layer: self.clone(),
        }
    }
}

/// The guard around a route.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S> Guard<S> {
    /// Lets the request pass, having noted who calls, or says why not.
    fn check(&self, request: &mut Request<Body>, noted: &mut Noted) -> Result<(), Problem> {
        let entries = request
            .extensions()
            .get::<MatchedPath>()
            .and_then(|path| self.layer.routes.get(path.as_str()));
        let Some(entries) = entries else {
            return Err(Problem::new(Kind::Forbidden, "this path is closed"));
        };
        let method = if *request.method() == Method::HEAD {
            &Method::GET
        } else {
            request.method()
        };
        // A method that the path does not have passes: the route answers it with 405 and does nothing.
        let Some(entry) = entries.iter().find(|entry| entry.method == *method) else {
            return Ok(());
        };
        noted.metrics = Some(entry.metrics.clone());
        let asked = || match (&entry.parameters, request.uri().query()) {
            (Some(parameters), Some(asked)) => query::only(parameters, asked),
            _ => Ok(()),
        };
        let (caller, device) = self.know(entry.access, request.headers())?;
        if let Some(policy) = entry.policy {
            let address = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
            let asker = asker_of(caller.as_ref(), device.as_ref(), address);
            noted.standing = Some(self.layer.take(policy, &asker));
        }
        let in_time = noted.standing.and_then(|standing| standing.refusal());
        // Also of who may not come in it is known who they are.
        let admitted = in_time
            .map_or(Ok(()), Err)
            .and_then(|()| admit(entry.access, caller.as_ref(), device.as_ref()))
            .and_then(|()| asked());
        if let Some(device) = device {
            request.extensions_mut().insert(device);
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        admitted
    }

    /// Who calls, and by which device; `None` where nobody has to say so.
    fn know(&self, access: Access, headers: &HeaderMap) -> Result<Known, Problem> {
        match access {
            Access::Open => return Ok((None, None)),
            Access::OpenOrKnown if !headers.contains_key(header::AUTHORIZATION) => {
                return Ok((None, None));
            }
            Access::OpenOrKnown | Access::AtLeast(_) | Access::Device(_) => {}
        }
        let token = bearer(headers)?;
        if token::is_device_token(token) {
            let device = self.know_device(token)?;
            return Ok((Some(device.caller.clone()), Some(device)));
        }
        let caller = self.layer.state.accounts.authenticate(token);
        caller
            .map(|caller| (Some(caller), None))
            .map_err(|_| refused("Could not validate credentials"))
    }

    fn know_device(&self, token: &str) -> Result<DeviceCaller, Problem> {
        let state = &self.layer.state;
        state.sync.devices.authenticate(token).map_err(|refusal| {
            // A token that nobody was ever given is counted; one that was shows which device was copied or stolen.
            match state.sync.devices.of_token(token) {
                Some(id) => contact::refused(state, &id, refusal.code(), ""),
                None => state.metrics.count_refusal(refusal.code()),
            }
            Problem::new(Kind::Unauthenticated, refusal.to_string()).with("code", refusal.code())
        })
    }
}

/// Who calls, and by which device.
type Known = (Option<Caller>, Option<DeviceCaller>);

/// Whether the caller's role reaches.
fn admit(
    access: Access,
    caller: Option<&Caller>,
    device: Option<&DeviceCaller>,
) -> Result<(), Problem> {
    if let Some(device) = device {
        return admit_device(access, device);
    }
    let (Access::AtLeast(required) | Access::Device(required), Some(caller)) = (access, caller)
    else {
        return Ok(());
    };
    if caller.role().reaches(required) {
        return Ok(());
    }
    let role = caller.role();
    let needed = format!("this needs the role {required}, the account has {role}");
    // The old system's words, where clients may look for them, and what they mean.
    let detail = match required {
        fleet::policy::Role::FleetManager => format!("Admin access required: {needed}"),
        _ => needed,
    };
    Err(Problem::new(Kind::Forbidden, detail))
}

fn admit_device(access: Access, device: &DeviceCaller) -> Result<(), Problem> {
    match access {
        Access::Device(role) if device.role().reaches(role) => Ok(()),
        Access::Device(role) => {
            let role_now = device.role();
            let detail = format!("this needs the role {role}, the device has {role_now}");
            Err(Problem::new(Kind::Forbidden, detail))
        }
        _ => {
            let detail = "a device token opens the routes of sync only; log in for this one";
            Err(Problem::new(Kind::Forbidden, detail).with("code", "device_token"))
        }
    }
}

fn refused(detail: &'static str) -> Problem {
    Problem::new(Kind::Unauthenticated, detail)
}

/// The token of the one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(refused("Not authenticated"));
    };
    let token = value.to_str().ok().and_then(bearer_token);
    match token {
        // Two headers leave open which one counts, so neither does.
        Some(token) if values.next().is_none() => Ok(token),
        Some(_) => Err(refused("Could not validate credentials")),
        None => Err(refused("Not authenticated")),
    }
}

/// The token in an `Authorization` header's text.
pub(crate) fn bearer_token(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = GuardFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut noted = Noted::default();
        let checked = self.check(&mut request, &mut noted);
        let writing = Writing::of(&request, &self.layer.state.security);
        let state = match checked {
            Ok(()) => Passage::Open {
                inner: self.inner.call(request),
            },
            Err(problem) => Passage::Closed {
                response: Some(problem.into_response()),
            },
        };
        GuardFuture {
            state,
            noted,
            writing,
            began: Instant::now(),
        }
    }
}

pin_project! {
    #[project = PassageProjection]
    #[derive(Debug)]
    enum Passage<F> {
        Open { #[pin] inner: F },
        Closed { response: Option<Response<Body>> },
    }
}

pin_project! {
    /// The answer on its way.
    #[derive(Debug)]
    pub struct GuardFuture<F> {
        #[pin]
        state: Passage<F>,
        noted: Noted,
        writing: Option<Writing>,
        began: Instant,
    }
}

/// A request to change something, of which is told if it is refused.
#[derive(Debug)]
struct Writing {
    security: Arc<SecurityLog>,
    method: Method,
    path: MatchedPath,
    caller: Option<Caller>,
    address: Option<IpAddr>,
}

impl Writing {
    /// `None` for what only reads, and for logins, which are told of by themselves.
    fn of(request: &Request<Body>, security: &Arc<SecurityLog>) -> Option<Self> {
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
            return None;
        }
        let extensions = request.extensions();
        let path = extensions.get::<MatchedPath>()?.clone();
        if path.as_str() == LOGIN {
            return None;
        }
        Some(Writing {
            security: security.clone(),
            method: request.method().clone(),
            path,
            caller: extensions.get::<Caller>().cloned(),
            address: extensions.get::<PeerAddress>().map(|peer| peer.0),
        })
    }

    fn answered(&self, response: &Response<Body>) {
        let status = response.status();
        if !status.is_client_error() {
            return;
        }
        let problem = response.extensions().get::<Problem>();
        self.security.refused_write(RefusedWrite {
            method: self.method.as_str(),
            path: self.path.as_str(),
            status: status.as_u16(),
            problem: problem.map_or("", |problem| problem.kind().name()),
            user: self.caller.as_ref().map(Caller::id_text),
            address: self.address,
        });
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for GuardFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.state.project() {
            PassageProjection::Open { inner } => match inner.poll(context) {
                Poll::Ready(Ok(response)) => response,
                Poll::Ready(Err(never)) => match never {},
                Poll::Pending => return Poll::Pending,
            },
            PassageProjection::Closed { response } => response.take().unwrap_or_default(),
        };
        if let Some(standing) = this.noted.standing {
            standing.tell(response.headers_mut());
        }
        if let Some(metrics) = &this.noted.metrics {
            metrics.observe(response.status(), this.began.elapsed());
        }
        if let Some(writing) = this.writing {
            writing.answered(&response);
        }
        Poll::Ready(Ok(response))
    }
}
