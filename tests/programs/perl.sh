#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# perl: text, files, processes and pipes.
# shellcheck disable=SC2016  # perl's variables
. "$(dirname "$0")/support/steps.sh"
need perl

step text same '3 abc 2' perl -e 'my @w = split /\W+/, "a man, a plan, a canal"; my %c; $c{$_}++ for @w; (my $t = "cba") = join "", sort split //, "cba"; print "$c{a} $t ", scalar(() = "xaxbx" =~ /x[ab]/g), "\n"'
step sort_many same '1 200000' perl -e '@x = sort { $a <=> $b } map { 200001 - $_ } 1 .. 200000; print "$x[0] $x[-1]\n"'
step files same '1000 499500' perl -e 'open F, ">", "f"; print F "$_\n" for 0 .. 999; close F; open F, "f"; while (<F>) { $n++; $s += $_ } print "$n $s\n"'
step fork_and_wait same '0 1 2' perl -e 'for my $i (0 .. 2) { exit $i unless fork } my @s; for (0 .. 2) { wait; push @s, $? >> 8 } print join(" ", sort @s), "\n"'
step pipe_open same 'HELLO' perl -e 'open P, "echo hello | tr a-z A-Z |"; print <P>'
step sockets same pong perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die $!; if (fork) { syswrite A, "ping"; sysread A, $x, 10; print "$x\n"; wait } else { sysread B, $x, 10; syswrite B, "pong" }'
step signals same 'usr1 alarm' perl -e '$SIG{USR1} = sub { print "usr1 " }; kill USR1 => $$; $SIG{ALRM} = sub { print "alarm\n"; exit }; alarm 1; sleep 10'
step locks perl -MFcntl=:flock -e 'open F, ">l"; flock F, LOCK_EX or die; unless (fork) { open G, ">l"; exit(flock(G, LOCK_EX | LOCK_NB) ? 1 : 0) } wait; exit $?'
step directories same 'a b' perl -e 'mkdir $_ for "d", "d/a", "d/b"; opendir D, "d"; print join(" ", sort grep { !/^\./ } readdir D), "\n"'
step posix same '127 KPIO_or_Linux' perl -MPOSIX -e 'my ($s) = uname; system "sh", "-c", "exit 127"; print $? >> 8, " ", ($s =~ /^(KPIO|Linux)$/ ? "KPIO_or_Linux" : $s), "\n"'
step in_place sh -c 'seq 3 >n && perl -pi -e "s/2/two/" n && grep -qx two n'
step modules same 'aGVsbG8= 5d41402abc4b2a76b9719d911017c592' perl -MMIME::Base64 -MDigest::MD5=md5_hex -e 'print encode_base64("hello", ""), " ", md5_hex("hello"), "\n"'
step time_hires perl -MTime::HiRes=time,sleep -e '$t = time; sleep 0.05; exit(time - $t >= 0.05 ? 0 : 1)'
finish
