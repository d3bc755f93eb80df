//! `railfleet openapi`: the API's description without a server, for those who make clients of it.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, print};
use crate::http::{description, postman};

#[derive(Debug, Args)]
pub(super) struct OpenApiArgs {
    /// As a collection for Postman, format 2.1, in the place of OpenAPI.
    #[arg(long)]
    postman: bool,
}

pub(super) fn run(args: &OpenApiArgs) -> Result<ExitCode, CliError> {
    let failed =
        |error: serde_json::Error| CliError::Other(format!("the API cannot be described: {error}"));
    let mut value = serde_json::to_value(description()).map_err(failed)?;
    if args.postman {
        value = postman::collection(&value);
    }
    print(&serde_json::to_string_pretty(&value).map_err(failed)?);
    Ok(ExitCode::SUCCESS)
}
