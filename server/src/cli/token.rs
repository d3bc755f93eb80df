//! `railfleet token`: an access token without a login, for whoever sits at the machine itself.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{CliError, DataArgs, open_accounts, print, require_log};

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The account's username or e-mail address.
    name: String,
    /// Minutes that the token lasts, 1 to 1,440; as configured if absent.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: Option<u64>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: TokenArgs) -> Result<ExitCode, CliError> {
    let mut config = args.data.load()?;
    if let Some(minutes) = args.minutes {
        config.auth.access_lifetime = Duration::from_secs(minutes * 60);
    }
    require_log(&config)?;
    let (_log, accounts) = open_accounts(&config)?;
    let account = accounts.directory().find(&args.name).cloned();
    let account =
        account.ok_or_else(|| CliError::Other(format!("there is no account {}", args.name)))?;
    print(&accounts.local_token(&account)?);
    Ok(ExitCode::SUCCESS)
}
