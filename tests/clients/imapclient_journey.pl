#!/usr/bin/perl
# Mail::IMAPClient: folders, APPEND, search, headers, flags, MOVE, IDLE. Arguments: port user password authority.
use strict;
use warnings;
use Mail::IMAPClient;

my ( $port, $user, $password, $authority ) = @ARGV;
my $imap = Mail::IMAPClient->new(
    Server => '127.0.0.1', Port => $port, User => $user, Password => $password, Uid => 1,
    Ssl => [ SSL_ca_file => $authority ],
) or die "login: $@";
sub must { my ( $what, $value ) = @_; die "$what: " . ( $imap->LastError // 'wrong' ) unless $value; return $value; }

must( 'id', $imap->tag_and_run('ID ("name" "Mail::IMAPClient")') ) if $imap->has_capability('ID');
must( 'compress', $imap->compress ) if $imap->has_capability('COMPRESS=DEFLATE');
my $folder = 'H&HtM- s&AaE-/2026';    # "Hồ sơ/2026"
must( 'create',    $imap->create($folder) );
must( 'subscribe', $imap->subscribe($folder) );
must( 'folders', scalar grep { $_ eq $folder } $imap->folders );
must( 'separator', $imap->separator eq '/' );
my @uids = map {
    must( "append $_", $imap->append_string( $folder,
        "From: <a\@other.test>\r\nSubject: ho so $_\r\nMessage-ID: <$_\@other.test>\r\n\r\nNoi dung $_\r\n", '\Seen' ) )
} 1 .. 3;
must( 'uids', "@uids" eq '1 2 3' );
must( 'select', $imap->select($folder) );
must( 'count', $imap->message_count == 3 );
must( 'search', join( ' ', $imap->search( SUBJECT => 'ho so 2' ) ) eq '2' );
must( 'since', join( ' ', $imap->search('SEEN NOT DELETED') ) eq '1 2 3' );
my $headers = must( 'headers', $imap->parse_headers( [ 1, 3 ], 'Subject', 'Message-ID' ) );
must( 'subject', $headers->{3}{Subject}[0] eq 'ho so 3' );
must( 'body', $imap->body_string(2) eq "Noi dung 2\r\n" );
must( 'envelope', $imap->get_envelope(1)->subject eq 'ho so 1' );
must( 'structure', $imap->get_bodystructure(1)->bodytype =~ /text/i );
must( 'size', $imap->size(1) > 50 );
must( 'flag', $imap->set_flag( 'Flagged', 1 ) );
must( 'unsee', $imap->deny_seeing(2) );
must( 'unseen', join( ' ', $imap->unseen ) eq '2' );
must( 'copy', $imap->copy( 'INBOX', 1 ) );
must( 'move', $imap->move( 'Archive', 3 ) );
must( 'expunge', $imap->expunge );
must( 'left', join( ' ', $imap->messages ) eq '1 2' );
must( 'delete', $imap->delete_message(2) == 1 );
must( 'close', $imap->close );
must( 'rename', $imap->rename( $folder, 'H&HtM- s&AaE-/xong' ) );
must( 'status', $imap->message_count('INBOX') == 1 );
my $tag = must( 'idle', $imap->select('INBOX') && $imap->idle );
must( 'done', $imap->done($tag) );
must( 'drop', $imap->delete('H&HtM- s&AaE-/xong') );
must( 'logout', $imap->logout );
print "Mail::IMAPClient $Mail::IMAPClient::VERSION\n";
