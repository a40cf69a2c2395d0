//! A list of any length, read from the engine page by page, so that no statement returns more than a page.

/// Rows asked for at once.
pub(super) const PAGE: u32 = 1_000;

/// All rows: `next` reads at most [`PAGE`] of them behind the given one, and a page that is not full is the last.
pub(super) async fn all<T, E>(next: impl AsyncFn(Option<&T>) -> Result<Vec<T>, E>) -> Result<Vec<T>, E> {
    let mut rows: Vec<T> = Vec::new();
    loop {
        let page = next(rows.last()).await?;
        let is_last = page.len() < PAGE as usize;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}
