//! Who has which name to log in with: no two accounts may have the same one, also where one was here before the import.

use std::collections::HashMap;

use fleet::user::key;

/// The names of accounts, those of rows taken in as they come.
pub(crate) struct Accounts<'a> {
    by_username: HashMap<String, String>,
    by_email: HashMap<String, String>,
    /// The tags that claim a username and an e-mail address.
    tags: &'a dyn Fn(&str, &str) -> [Box<str>; 2],
}

/// What an account may be found by.
pub(crate) struct Names {
    pub(crate) by_username: bool,
    pub(crate) by_email: bool,
    /// Both names are another account's.
    pub(crate) is_other: bool,
    /// What claims the names that it may have.
    pub(crate) tags: Vec<Box<str>>,
}

/// An account that is here: its id, its username, its e-mail address.
pub(crate) type KnownAccount = (String, String, String);

impl<'a> Accounts<'a> {
    pub(crate) fn new(
        known: impl IntoIterator<Item = KnownAccount>,
        tags: &'a dyn Fn(&str, &str) -> [Box<str>; 2],
    ) -> Self {
        let mut accounts = Accounts {
            by_username: HashMap::new(),
            by_email: HashMap::new(),
            tags,
        };
        for (id, username, email) in known {
            accounts
                .by_username
                .entry(key(&username))
                .or_insert_with(|| id.clone());
            accounts.by_email.entry(key(&email)).or_insert(id);
        }
        accounts
    }

    /// Which of its names the account with this id may have; it has them from then on.
    pub(crate) fn judge(&mut self, id: &str, username: &str, email: &str) -> Names {
        // A name with an @ is looked for among addresses.
        let by_username = !username.is_empty()
            && !username.contains('@')
            && claim(&mut self.by_username, username, id);
        let by_email = email.contains('@') && claim(&mut self.by_email, email, id);
        let [username_tag, email_tag] = (self.tags)(username, email);
        let mut tags = Vec::with_capacity(2);
        if by_username {
            tags.push(username_tag);
        }
        if by_email {
            tags.push(email_tag);
        }
        Names {
            by_username,
            by_email,
            is_other: !by_username && !by_email,
            tags,
        }
    }
}

fn claim(names: &mut HashMap<String, String>, name: &str, id: &str) -> bool {
    let holder = names.entry(key(name)).or_insert_with(|| id.to_owned());
    holder == id
}
