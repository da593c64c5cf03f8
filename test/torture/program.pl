# A program of the fault harness. See README.md. Told by arguments NAME=VALUE:
#   gen=TEXT            told in the ledger
#   every=MS burst=N    so often so many lines on standard output
#   life=MS end=code:N|signal:NAME   how long it lives, and how it ends; without life it lives on
#   on=SIGNAL:code:N    what it does of a stop signal: exit with a code; on=SIGNAL:ignore: nothing
#   kids=1              leaves a process behind that has forked twice and has a session of its own
#   daemon=FILE         goes to the background and writes its pid to the file
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);

my %told = (every => 200, burst => 1, map { split /=/, $_, 2 } @ARGV);
my ($dir, $run, $name) = @ENV{qw(TORTURE_DIR PMK_RUN PMK_INSTANCE)};
my ($uid, $attempt) = $run =~ /^(.*)\.(\d+)$/ or die "PMK_RUN: $run";

sub pause { select undef, undef, undef, $_[0] / 1000 }

sysopen my $ledger, "$dir/ledger", O_WRONLY | O_APPEND | O_CREAT or die "ledger: $!";
sub record { syswrite $ledger, join(' ', @_) . "\n" }

if ($told{daemon}) {
  require POSIX;
  # A file of the run before must not be taken for this one's.
  unlink $told{daemon};
  my $child = fork // die "fork: $!";
  if ($child) {
    for (1 .. 200) { exit 0 if -s $told{daemon}; pause(10) }
    exit 9;
  }
  POSIX::setsid();
  open my $file, '>', "$told{daemon}.$$" or die "pid file: $!";
  print $file "$$\n";
  close $file;
  rename "$told{daemon}.$$", $told{daemon} or die "pid file: $!";
}

# Whatever this program starts holds the lock, too: who gets it is alone.
sysopen my $lock, "$dir/locks/$uid", O_RDWR | O_CREAT or die "lock: $!";
my $alone = 0;
for (1 .. 10) { $alone = flock $lock, LOCK_EX | LOCK_NB and last; pause(10) }
record('double', $run, $$, $name) unless $alone;

open my $stat, '<', "/proc/$$/stat" or die "stat: $!";
my ($fields) = <$stat> =~ /.*\) (.*)/s;
my $begun = (split ' ', $fields)[19];
close $stat;

sub finish {
  my ($by, $what) = @_;
  record('end', $run, $$, $by, $what);
  exit $what if $by eq 'code';
  $SIG{$what} = 'DEFAULT' if $what ne 'KILL';
  kill $what, $$;
  pause(1000) while 1;
}

if ($told{on}) {
  my ($signal, $how, $code) = split /:/, $told{on};
  $SIG{$signal} = $how eq 'ignore' ? 'IGNORE' : sub { finish('code', $code) };
}
$SIG{HUP} = sub { record('reload', $run, $$) };
$SIG{USR1} = sub { record('usr1', $run, $$) };

if ($told{kids}) {
  require POSIX;
  my $child = fork // die "fork: $!";
  if (!$child) {
    POSIX::setsid();
    my $kid = fork // die "fork: $!";
    exit 0 if $kid;
    $SIG{$_} = 'DEFAULT' for qw(HUP USR1);
    pause(60_000) while 1;
  }
  waitpid $child, 0;
}

record('start', $run, $$, $begun, $name, $told{gen} // '-', $ENV{TORTURE_CONFIG} // '-', ($ENV{TORTURE_SECRET} // '-') eq '-' ? '-' : 'secret', $told{daemon} ? 'forks' : '-');

# Lines are counted after they were written: what the log lacks of them was lost.
sysopen my $count, "$dir/counts/$uid", O_RDWR | O_CREAT or die "count: $!";
my $lines = 0;
sub lines {
  my $text = '';
  for (1 .. $told{burst}) { $lines++; $text .= substr("$run $lines " . 'x' x 80, 0, 79) . "\n" }
  my $done = 0;
  while ($done < length $text) {
    my $put = syswrite STDOUT, $text, length($text) - $done, $done;
    # A full disk, or a signal: the rest comes later.
    defined $put ? $done += $put : pause(20);
  }
  sysseek $count, $attempt * 16, 0;
  syswrite $count, sprintf "%015d\n", $lines;
}

my $lived = 0;
while (1) {
  my $calm = -e "$dir/calm";
  finish(split /:/, $told{end}) if !$calm && defined $told{life} && $lived >= $told{life};
  lines() if !$calm;
  pause($told{every});
  $lived += $told{every} if !$calm;
}
