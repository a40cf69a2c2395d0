//! The address book (danh bạ), looked through with or without diacritics.

use crate::{Error, Store};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{Address, DomainName, MailboxClass};

/// Somebody in the address book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRow {
    pub address: Address,
    pub display_name: String,
    pub class: MailboxClass,
    pub unit: Option<DirectoryUnit>,
    /// Chức vụ in that unit, highest first.
    pub positions: Vec<String>,
    /// Chức vụ in other units (kiêm nhiệm), highest first.
    pub elsewhere: Vec<(String, DirectoryUnit)>,
}

/// A unit as an address book names it: several have a room of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUnit {
    pub code: String,
    pub name: String,
    /// Code and name of the unit above it.
    pub parent: Option<(String, String)>,
}

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

impl Store {
    /// Mailboxes of the domain in which every word is found, in the name, the address, the unit or a position; `plain` words
    /// are compared without diacritics, the others with them. Where `classes` are named, those alone, and none that is locked. By
    /// address, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn directory(
        &self,
        domain: &DomainName,
        (plain, marked): (&[String], &[String]),
        classes: Option<&[MailboxClass]>,
        day: Date,
        (after, limit): (Option<&Address>, u32),
    ) -> Result<Vec<DirectoryRow>, Error> {
        type Row = (String, String, String, Vec<Option<String>>, Vec<String>, Vec<Option<String>>);
        let rows: Vec<Row> = sqlx::query_as(
            "with held (person_id, titles, units) as materialized (
                 select a.person_id, array_agg(p.title order by p.rank, p.title, u.code),
                        array_agg(array[u.code, u.name, b.code, b.name] order by p.rank, p.title, u.code)
                   from appointments a join positions p using (position_id)
                   join units u using (unit_id) left join units b on b.unit_id = u.parent_id
                  where a.from_day <= $2 and (a.until_day is null or a.until_day > $2)
                    and p.domain_id = (select domain_id from domains where name = $1)
                  group by a.person_id
             )
             select g.address, a.display_name, a.class, array[u.code, u.name, b.code, b.name],
                    coalesce(h.titles, '{}'), array(select unnest(h.units))
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               left join units u using (unit_id)
               left join units b on b.unit_id = u.parent_id
               left join held h using (person_id),
                    lateral (select concat_ws(' ', a.display_name, g.address, u.code, u.name,
                                              array_to_string(h.titles, ' ')) as words) as text
              where a.domain_id = (select domain_id from domains where name = $1)
                and a.state in ('new', 'active', 'locked')
                and ($7::text[] is null or a.class = any($7) and a.state <> 'locked')
                and ($5::text is null or g.address > $5)
                and not exists (select from unnest($3::text[]) as w (word)
                                 where position(word in fold_words(words)) = 0)
                and not exists (select from unnest($4::text[]) as w (word)
                                 where position(word in lower(normalize(words))) = 0)
              order by g.address limit $6",
        )
        .bind(domain.as_str())
        .bind(day.to_sqlx())
        .bind(plain)
        .bind(marked)
        .bind(after.map(ToString::to_string))
        .bind(i64::from(limit))
        .bind(classes.map(|classes| classes.iter().map(|class| class.as_str()).collect::<Vec<_>>()))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(address, display_name, class, own, titles, units)| {
                let own = unit(&own);
                let posts = titles.into_iter().zip(units.chunks_exact(4).map(unit));
                let (here, elsewhere): (Vec<_>, Vec<_>) =
                    posts.partition(|(_, there)| there.is_none() || *there == own);
                Ok(DirectoryRow {
                    address: address.parse().map_err(|_| DAMAGED)?,
                    display_name,
                    class: class.parse().map_err(|_| DAMAGED)?,
                    unit: own,
                    positions: here.into_iter().map(|(title, _)| title).collect(),
                    elsewhere: elsewhere
                        .into_iter()
                        .filter_map(|(title, unit)| Some((title, unit?)))
                        .collect(),
                })
            })
            .collect()
    }
}

/// Of code and name, and those of the unit above it.
fn unit(columns: &[Option<String>]) -> Option<DirectoryUnit> {
    let [Some(code), Some(name), above @ ..] = columns else { return None };
    let parent = match above {
        [Some(code), Some(name)] => Some((code.clone(), name.clone())),
        _ => None,
    };
    Some(DirectoryUnit { code: code.clone(), name: name.clone(), parent })
}
