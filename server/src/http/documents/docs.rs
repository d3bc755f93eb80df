//! Documents' bodies, as the description shows them. What checks them is `fleet::document`.
#![expect(dead_code, reason = "only their schemas are used")]

use serde_json::Value;
use utoipa::ToSchema;

/// A document to create.
#[derive(ToSchema)]
pub(crate) struct DocumentCreate {
    /// The business key; 1 to 100 characters.
    #[schema(example = "CERT-2026/17")]
    document_id: String,
    /// 1 to 500 characters.
    title: String,
    /// `certificate`, `license`, `inspection_report`, `maintenance_log`, `technical_drawing`, `compliance_doc`, `invoice`,
    /// `contract` or `other`.
    #[schema(example = "certificate")]
    document_type: String,
    description: Option<String>,
    file_url: Option<String>,
    /// SHA-256, 64 hexadecimal digits.
    file_hash: Option<String>,
    file_size_bytes: Option<u64>,
    mime_type: Option<String>,
    issue_date: Option<String>,
    /// After the issue.
    expiration_date: Option<String>,
    /// 1 to 365, default 30.
    reminder_days_before: Option<u32>,
    tags_json: Option<Vec<String>>,
    metadata_json: Option<Value>,
    /// Default false.
    is_public: Option<bool>,
    /// `public`, `internal` (default), `restricted` (DISPATCHER and above) or `confidential` (FLEET_MANAGER and above).
    access_level: Option<String>,
    /// `active` (default), `expired`, `expiring_soon`, `archived` or `revoked`.
    status: Option<String>,
    /// By UUID or asset id.
    vehicle_id: Option<String>,
    /// By UUID or staff_id.
    staff_id: Option<String>,
    /// By UUID or code.
    workshop_id: Option<String>,
    /// By UUID or number.
    work_order_id: Option<String>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct DocumentUpdate {
    title: Option<String>,
    document_type: Option<String>,
    description: Option<String>,
    file_url: Option<String>,
    file_hash: Option<String>,
    file_size_bytes: Option<u64>,
    mime_type: Option<String>,
    issue_date: Option<String>,
    expiration_date: Option<String>,
    reminder_days_before: Option<u32>,
    tags_json: Option<Vec<String>>,
    metadata_json: Option<Value>,
    is_public: Option<bool>,
    access_level: Option<String>,
    status: Option<String>,
    vehicle_id: Option<String>,
    staff_id: Option<String>,
    workshop_id: Option<String>,
    work_order_id: Option<String>,
    /// Why the status changes.
    reason: Option<String>,
}

/// A document. In lists, what it says is null for those who may not read it.
#[derive(ToSchema)]
pub(crate) struct Document {
    /// Its UUID; paths take it as well as the document_id.
    id: String,
    document_id: String,
    title: Option<String>,
    document_type: Option<String>,
    description: Option<String>,
    file_url: Option<String>,
    file_hash: Option<String>,
    file_size_bytes: Option<u64>,
    mime_type: Option<String>,
    issue_date: Option<String>,
    expiration_date: Option<String>,
    reminder_days_before: u32,
    status: String,
    vehicle_id: Option<String>,
    staff_id: Option<String>,
    workshop_id: Option<String>,
    work_order_id: Option<String>,
    tags_json: Option<Vec<String>>,
    metadata_json: Option<Value>,
    is_public: bool,
    access_level: String,
    created_by: Option<String>,
    last_accessed_at: Option<String>,
    last_accessed_by: Option<String>,
    latest_version_number: Option<u32>,
    /// `expired`, `expiring_soon` or `ok` as of now; null without an end, and for what is put away.
    expiration_status: Option<String>,
    /// Whole days until its end; below 0 when it is past.
    days_until_expiration: Option<i64>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` may ask for. Being looked at raises it as well.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
}

/// A page of documents.
#[derive(ToSchema)]
pub(crate) struct DocumentList {
    /// How many there are in all pages.
    total: u64,
    documents: Vec<Document>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}

/// A version of a document's file to add.
#[derive(ToSchema)]
pub(crate) struct DocumentVersionCreate {
    /// The document, by UUID or document_id.
    document_link_id: String,
    /// From 1, each once.
    version_number: u32,
    version_label: Option<String>,
    change_description: Option<String>,
    file_url: Option<String>,
    /// SHA-256, 64 hexadecimal digits.
    file_hash: Option<String>,
    file_size_bytes: Option<u64>,
}

/// A version of a document's file.
#[derive(ToSchema)]
pub(crate) struct DocumentVersion {
    id: String,
    /// The document's UUID.
    document_link_id: String,
    version_number: u32,
    version_label: Option<String>,
    change_description: Option<String>,
    file_url: Option<String>,
    file_hash: Option<String>,
    file_size_bytes: Option<u64>,
    created_at: Option<String>,
    created_by: Option<String>,
    /// Where it was written; only in the answer to the write.
    position: Option<u64>,
}

/// A document's versions.
#[derive(ToSchema)]
pub(crate) struct DocumentVersionList {
    total: u64,
    versions: Vec<DocumentVersion>,
    /// The position of the log that this reflects.
    position: u64,
}

/// That somebody looked at a document.
#[derive(ToSchema)]
pub(crate) struct DocumentAccess {
    id: String,
    /// The document's UUID.
    document_link_id: String,
    accessed_by: Option<String>,
    /// `view`, `download`, `edit`, `delete` or `share`.
    access_type: String,
    ip_address: Option<String>,
    user_agent: Option<String>,
    accessed_at: String,
}

/// Part of a document's access log.
#[derive(ToSchema)]
pub(crate) struct DocumentAccessList {
    /// How many there are in all.
    total: u64,
    access_logs: Vec<DocumentAccess>,
    /// The position of the log that this reflects.
    position: u64,
}

/// A document with an end.
#[derive(ToSchema)]
pub(crate) struct ExpiringDocument {
    id: String,
    document_id: String,
    title: Option<String>,
    document_type: Option<String>,
    expiration_date: String,
    /// Whole days until its end; below 0 when it is past.
    days_until_expiration: i64,
    /// `expired`, `expiring_soon` or `ok`.
    expiration_status: String,
    vehicle_id: Option<String>,
    staff_id: Option<String>,
    workshop_id: Option<String>,
    work_order_id: Option<String>,
    status: String,
}

/// A page of documents with an end.
#[derive(ToSchema)]
pub(crate) struct ExpiringDocumentList {
    /// How many there are in all pages.
    total: u64,
    documents: Vec<ExpiringDocument>,
    /// The position of the log that this reflects.
    position: u64,
}
