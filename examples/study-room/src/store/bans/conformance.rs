//! What every store must do with bans.

use crate::store::Store;

/// Runs on a store that has the accounts `id-Ada` and `id-Bob`, and no ban. Leaves one behind, of `id-Bob`.
pub(in crate::store) async fn run(store: &impl Store) {
    for account in ["id-Ada", "id-Nobody", "id\0Ada", ""] {
        assert!(!store.is_banned(account).await.unwrap(), "{account:?}");
        assert!(!store.lift_ban(account).await.unwrap(), "{account:?}");
    }
    for nobody in ["id-Nobody", "id\0Ada"] {
        store.ban(nobody, 1).await.unwrap();
        assert!(!store.is_banned(nobody).await.unwrap(), "there is no such account");
    }
    store.ban("id-Ada", 5).await.unwrap();
    store.ban("id-Bob", 6).await.unwrap();
    store.ban("id-Ada", 7).await.unwrap();
    assert_eq!(banned(store, 10).await, [("Bob".to_owned(), 6), ("Ada".to_owned(), 5)], "again it changes nothing");
    assert_eq!(banned(store, 1).await, [("Bob".to_owned(), 6)]);
    assert!(store.lift_ban("id-Ada").await.unwrap());
    assert!(!store.is_banned("id-Ada").await.unwrap());
    assert!(!store.lift_ban("id-Ada").await.unwrap(), "once");
}

/// Runs on a store that [`run`] has filled before it was closed and opened again.
pub(in crate::store) async fn survives_reopening(store: &impl Store) {
    assert!(store.is_banned("id-Bob").await.unwrap());
}

async fn banned(store: &impl Store, limit: u32) -> Vec<(String, i64)> {
    let bans = store.bans(limit).await.unwrap();
    for ban in &bans {
        assert!(store.is_banned(&ban.user).await.unwrap());
    }
    bans.into_iter().map(|ban| (ban.name, ban.banned_at)).collect()
}
