//! The commands of STOMP 1.0 to 1.2: a closed set, so that nothing can be smuggled in a command line.

use std::fmt;

/// The longest command, in octets: a longer first line is unknown before it is complete.
pub(crate) const LONGEST_COMMAND: usize = "UNSUBSCRIBE".len();

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A command. Case sensitive ([STOMP 1.2, Frames](https://stomp.github.io/stomp-specification-1.2.html)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "the specification's set is closed")]
        pub enum Command {
            $($(#[$doc])* $variant,)*
        }

        impl Command {
            /// All commands.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The command as it stands in a frame.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|command| command.as_str().as_bytes() == octets)
            }
        }
    };
}

commands! {
    /// Ends a transaction without effect.
    Abort = "ABORT",
    /// Acknowledges a message.
    Ack = "ACK",
    /// Begins a transaction.
    Begin = "BEGIN",
    /// Gives a transaction its effect.
    Commit = "COMMIT",
    /// Opens a session.
    Connect = "CONNECT",
    /// From the server: the session is open.
    Connected = "CONNECTED",
    /// Ends a session.
    Disconnect = "DISCONNECT",
    /// From the server: something was wrong, and the connection ends.
    Error = "ERROR",
    /// From the server: a message of a subscription.
    Message = "MESSAGE",
    /// Refuses a message (from 1.1 on).
    Nack = "NACK",
    /// From the server: a frame was processed.
    Receipt = "RECEIPT",
    /// Sends a message.
    Send = "SEND",
    /// Opens a session, as CONNECT does.
    Stomp = "STOMP",
    /// Asks for the messages of a destination.
    Subscribe = "SUBSCRIBE",
    /// Ends a subscription.
    Unsubscribe = "UNSUBSCRIBE",
}

impl Command {
    /// Whether the command opens a session; the headers of such a frame are never unescaped.
    #[must_use]
    pub const fn opens_session(self) -> bool {
        matches!(self, Self::Connect | Self::Stomp)
    }

    /// Whether only servers send the command.
    #[must_use]
    pub const fn is_servers(self) -> bool {
        matches!(self, Self::Connected | Self::Error | Self::Message | Self::Receipt)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
