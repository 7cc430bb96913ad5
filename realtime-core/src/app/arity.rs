//! Functions of any number of arguments: what is the same for each number is written once.

/// Calls a macro with the names of no argument, of one, and so on up to seven.
macro_rules! up_to_seven {
    ($each:ident) => {
        $each!();
        $each!(A1);
        $each!(A1, A2);
        $each!(A1, A2, A3);
        $each!(A1, A2, A3, A4);
        $each!(A1, A2, A3, A4, A5);
        $each!(A1, A2, A3, A4, A5, A6);
        $each!(A1, A2, A3, A4, A5, A6, A7);
    };
}

pub(super) use up_to_seven;
