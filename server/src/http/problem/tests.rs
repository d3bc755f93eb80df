use std::path::Path;

use storage::{Position, StreamName, Version};
use uuid::Uuid;

use super::*;

async fn body(response: Response<Body>) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_table_is_in_the_order_of_the_variants() {
    for (index, spec) in TYPES.iter().enumerate() {
        assert_eq!(spec.kind as usize, index, "{}", spec.name);
    }
}

#[test]
fn the_documented_table_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/problems.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.contains(&types_markdown()),
        "docs/problems.md lacks this table:\n{}",
        types_markdown()
    );
}

#[tokio::test]
async fn a_conflict_carries_both_versions() {
    let error = AppendError::WrongVersion {
        stream: StreamName::new("Vehicle", "V1"),
        expected: ExpectedVersion::Exact(Version::new(3)),
        actual: Version::new(5),
    };
    let response = Problem::from(error).render("/api/v1/events", "r-1");
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    assert_eq!(
        body(response).await,
        json!({
            "type": "urn:railfleet:problem:wrong-version", "title": "The stream is at another version", "status": 409,
            "detail": "Vehicle/V1 is at version 5, expected was 3", "instance": "/api/v1/events", "request_id": "r-1",
            "expected_version": 3, "actual_version": 5, "aggregate_type": "Vehicle", "aggregate_id": "V1",
        })
    );
}

#[tokio::test]
async fn every_append_error_has_its_status() {
    let id = Uuid::from_u128(1);
    for (error, status) in [
        (AppendError::Empty, 422),
        (AppendError::EmptyName { what: "event_type" }, 422),
        (
            AppendError::TooLarge {
                what: "data",
                limit: 10,
                actual: 11,
            },
            413,
        ),
        (
            AppendError::ConditionFailed {
                position: Position::new(9),
                after: Position::new(3),
            },
            409,
        ),
        (
            AppendError::IdReused {
                id,
                position: Position::new(9),
            },
            409,
        ),
        (AppendError::DiskFull, 507),
        (AppendError::Busy, 503),
        (
            AppendError::Stopped {
                reason: "EIO in /secret/path".to_owned(),
            },
            503,
        ),
        (AppendError::Closed, 503),
    ] {
        let response = Problem::from(error.clone()).render("/", "r");
        assert_eq!(response.status().as_u16(), status, "{error}");
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            status == 503
        );
        let body = body(response).await;
        assert!(body["detail"].is_string());
        assert!(
            !body.to_string().contains("/secret/path"),
            "internals stay inside"
        );
    }
}

#[tokio::test]
async fn faults_are_listed_by_their_place() {
    let errors = vec![
        FieldError::body("data", "dict_type", "must be an object"),
        FieldError::query("limit", "int_parsing", "is no number"),
    ];
    let response = Problem::invalid(errors).render("/x", "r");
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let body = body(response).await;
    assert_eq!(body["detail"], "body.data: must be an object (and 1 more)");
    assert_eq!(
        body["errors"][0],
        json!({"loc": ["body", "data"], "msg": "must be an object", "type": "dict_type"})
    );
}
