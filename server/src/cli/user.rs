//! `railfleet user`: accounts, for whoever sits at the machine itself. The first account comes from here.

use std::io::{self, Read as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fleet::policy::Role;

use super::{CliError, DataArgs, open_accounts, print, require_log, small_runtime};
use crate::auth::NewAccount;
use crate::auth::password::PASSWORD_BYTES_MAX;

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add an account.
    Add(AddArgs),
    /// Set an account's password, which also unlocks it. Whoever is logged in with it is logged out.
    Password(PasswordArgs),
    /// List the accounts.
    List(ListArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The name to log in with, 3 to 50 characters.
    name: String,
    /// What the account may do: SUPER_ADMIN, FLEET_MANAGER, WORKSHOP_MANAGER, DISPATCHER, TECHNICIAN or VIEWER.
    #[arg(long)]
    role: Role,
    /// The address to log in with; NAME@localhost if none is given.
    #[arg(long)]
    email: Option<String>,
    /// Read the password from standard input, up to the first line's end.
    #[arg(long, required = true)]
    password_stdin: bool,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// The account's name, e-mail address or id.
    name: String,
    /// Read the password from standard input, up to the first line's end.
    #[arg(long, required = true)]
    password_stdin: bool,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: UserArgs) -> Result<ExitCode, CliError> {
    match args.command {
        UserCommand::Add(args) => add(args),
        UserCommand::Password(args) => set_password(&args),
        UserCommand::List(args) => list(&args),
    }
}

fn add(args: AddArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let password = read_password()?;
    let (_log, accounts) = open_accounts(&config)?;
    let email = args
        .email
        .unwrap_or_else(|| format!("{}@localhost", args.name));
    let new = NewAccount {
        username: args.name,
        email,
        password,
        role: args.role,
    };
    let account = small_runtime()?.block_on(accounts.register_locally(new))?;
    print(&format!(
        "added {} ({}) as {}",
        account.state.username, account.id_text, account.state.role
    ));
    Ok(ExitCode::SUCCESS)
}

fn set_password(args: &PasswordArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    require_log(&config)?;
    let password = read_password()?;
    let (_log, accounts) = open_accounts(&config)?;
    let found = accounts.directory().find(&args.name).cloned();
    let account =
        found.ok_or_else(|| CliError::Other(format!("there is no account {}", args.name)))?;
    small_runtime()?.block_on(accounts.set_password_locally(account.id, password))?;
    print(&format!("{} has a new password", account.state.username));
    Ok(ExitCode::SUCCESS)
}

/// The first line of standard input, without its end.
pub(super) fn read_password() -> Result<String, CliError> {
    let mut text = String::new();
    let limit = PASSWORD_BYTES_MAX as u64 + 2;
    io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(CliError::io("cannot read the password from standard input"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn list(args: &ListArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    require_log(&config)?;
    let (_log, accounts) = open_accounts(&config)?;
    for account in accounts.directory().list() {
        let state = &account.state;
        let open = if state.is_active { "" } else { ", inactive" };
        print(&format!(
            "{}  {} <{}>  {}{open}",
            account.id_text, state.username, state.email, state.role
        ));
    }
    Ok(ExitCode::SUCCESS)
}
