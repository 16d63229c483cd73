//! The tables of the store on disk, in one file: `redb`.
