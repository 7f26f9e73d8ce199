//! The lists of what a client's statement may use. Whatever a later SQLite adds is refused until
//! somebody has looked at it.

/// Whether a client may use this function, one of SQLite (<https://sqlite.org/lang_corefunc.html>
/// and its neighbours), of FTS5, R*Tree or sqlite-vec. Names come as they were written.
pub(super) fn function(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // ALTER TABLE calls these on its own; SQLite refuses them to anybody else.
    let altering = name.starts_with("sqlite_rename_") || name == "sqlite_drop_column";
    altering || FUNCTIONS.binary_search(&name.as_str()).is_ok()
}

/// Whether a client may make virtual tables of this module.
pub(super) fn module(name: &str) -> bool {
    const MODULES: [&str; 8] = [
        "fts3",
        "fts4",
        "fts4aux",
        "fts5",
        "fts5vocab",
        "rtree",
        "rtree_i32",
        "vec0",
    ];
    MODULES
        .iter()
        .any(|module| module.eq_ignore_ascii_case(name))
}

/// Whether this table shows the file itself.
pub(super) fn is_internal(table: &str) -> bool {
    table.eq_ignore_ascii_case("sqlite_dbpage") || table.eq_ignore_ascii_case("dbstat")
}

/// Whether a client may use this pragma, with this value or without any.
pub(super) fn pragma(name: &str, value: Option<&str>) -> bool {
    /// They read, whatever their argument.
    const READ: [&str; 15] = [
        "collation_list",
        "compile_options",
        "foreign_key_check",
        "foreign_key_list",
        "function_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "module_list",
        "pragma_list",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    ];
    /// They read as long as they have no argument.
    const READ_ALONE: [&str; 11] = [
        "auto_vacuum",
        "data_version",
        "encoding",
        "foreign_keys",
        "freelist_count",
        "journal_mode",
        "page_count",
        "page_size",
        "schema_version",
        "synchronous",
        "recursive_triggers",
    ];
    /// They change what belongs to the client: numbers in the file's header that SQLite does not
    /// use, and when its foreign keys are checked within its transaction.
    const WRITE: [&str; 4] = [
        "application_id",
        "defer_foreign_keys",
        "optimize",
        "user_version",
    ];
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    READ.iter().any(&is) || WRITE.iter().any(&is) || value.is_none() && READ_ALONE.iter().any(is)
}

/// In alphabetical order.
const FUNCTIONS: &[&str] = &[
    "->",
    "->>",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "bm25",
    "ceil",
    "ceiling",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "fts5_get_locale",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_source_id",
    "glob",
    "group_concat",
    "hex",
    "highlight",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_insert",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_array_insert",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "match",
    "matchinfo",
    "max",
    "median",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "offsets",
    "optimize",
    "percent_rank",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "random",
    "randomblob",
    "rank",
    "regexp",
    "replace",
    "round",
    "row_number",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "snippet",
    "soundex",
    "sqlite_compileoption_used",
    "sqlite_source_id",
    "sqlite_version",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "subtype",
    "sum",
    "tan",
    "tanh",
    "time",
    "timediff",
    "total",
    "total_changes",
    "trim",
    "trunc",
    "typeof",
    "unhex",
    "unicode",
    "unistr",
    "unistr_quote",
    "unixepoch",
    "unlikely",
    "upper",
    "vec_add",
    "vec_bit",
    "vec_distance_cosine",
    "vec_distance_hamming",
    "vec_distance_l1",
    "vec_distance_l2",
    "vec_f32",
    "vec_int8",
    "vec_length",
    "vec_normalize",
    "vec_quantize_binary",
    "vec_quantize_int8",
    "vec_slice",
    "vec_sub",
    "vec_to_json",
    "vec_type",
    "vec_version",
    "zeroblob",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(FUNCTIONS.is_sorted());
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_reaches_files_keys_or_settings_is_on_no_list() {
        for name in [
            "load_extension",
            "sqlcipher_export",
            "fts3_tokenizer",
            "sqlite_compileoption_get",
            "sqlite_log",
            "vec_debug",
        ] {
            assert!(
                !function(name) && !function(&name.to_ascii_uppercase()),
                "{name}"
            );
        }
        for name in [
            "key",
            "rekey",
            "hexkey",
            "hexrekey",
            "textkey",
            "cipher_salt",
            "cipher_version",
            "cipher_export",
            "writable_schema",
            "temp_store_directory",
            "data_store_directory",
            "mmap_size",
            "hard_heap_limit",
            "soft_heap_limit",
            "trusted_schema",
            "wal_checkpoint",
            "locking_mode",
            "database_list",
            "cache_spill",
            "legacy_alter_table",
        ] {
            assert!(!pragma(name, None) && !pragma(name, Some("1")), "{name}");
        }
        assert!(pragma("journal_mode", None) && !pragma("journal_mode", Some("DELETE")));
        assert!(pragma("Table_Info", Some("notes")));
        assert!(module("FTS5") && !module("csv") && is_internal("SQLite_DBPage"));
    }
}
