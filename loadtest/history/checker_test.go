package history

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// story is a clean history with something of everything: a lost acknowledgement and its retry, a refusal, a
// conflict, a device that comes back and is replayed to, one that has to page, one that leaves, a member who
// comes and goes, marks, notifications.
const story = `
	admitting bea
	admitted  bea outcome=ok
	admitting sam
	admitted bea outcome=ok
	admitted sam outcome=ok
	connected bea1
	connected sam1
	connected sam2
	joined bea1 after=0 last=0
	joined sam1 after=0 last=0
	joined sam2 after=-1 last=0
	send   bea1 m1
	answer bea1 m1 outcome=ok
	shown  bea1 m1
	shown  sam1 m1
	shown  sam2 m1
	send   sam1 m2
	shown  bea1 m2
	shown  sam1 m2
	disconnected sam1
	answer sam1 m2 outcome=unknown
	shown  sam2 m2
	left   sam2
	mark   sam2 m1
	marked sam2 m1 outcome=ok
	seen   bea1 m1 sender=sam
	send   bea1 m3 client=0
	answer bea1 m3 client=0 outcome=ok
	shown  bea1 m3 client=0
	notified sam2 m3
	connected sam1
	joined sam1 after=2 last=3 read=2
	shown  sam1 m3 client=0
	send   sam1 m2
	answer sam1 m2 outcome=ok
	send   bea1 m4 body=40
	answer bea1 m4 body=40 outcome=refused code=rate_limited
	send   bea1 m4
	shown  sam1 m4
	answer bea1 m4 outcome=ok
	send   bea1 m4 body=44
	answer bea1 m4 body=44 outcome=ok
	conflict bea1 m4
	shown  bea1 m4
	admitting eve
	connected eve1
	joined eve1 after=0 last=4 recovered=false
	send   sam1 m5
	shown  eve1 m5
	paged  eve1 m1
	paged  eve1 m2
	paged  eve1 m3 client=0
	paged  eve1 m4
	shown  bea1 m5
	shown  sam1 m5
	answer sam1 m5 outcome=ok
	mark   bea1 m5
	marked bea1 m5 outcome=ok
	seen   sam1 m5 sender=bea
	seen   sam2 m5 sender=bea
	expelling eve
	expelled  eve outcome=ok
	send   bea1 m6
	answer bea1 m6 outcome=ok
	remark
	shown  eve1 m6 wait=4s
	left   eve1
	shown  bea1 m6
	shown  sam1 m6
	send   bea1 m7
	answer bea1 m7 outcome=refused code=invalid
	disconnected bea1
	connected bea1
	joined bea1 after=6 last=6 read=6
	settled wait=20s outcome=ok
	stored m1
	stored m2
	stored m3 client=0
	stored m4
	stored m5
	stored m6
	end last=6
	inbox bea outcome=ok last=6 read=6
	inbox sam outcome=ok last=6 read=5
	inbox eve outcome=refused
`

// edit makes a story go wrong: it replaces a line by others.
func edit(t *testing.T, text string, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		line := "\t" + changes[i] + "\n"
		if strings.Count(text, line) != 1 {
			t.Fatalf("the story has the line %q %d times", changes[i], strings.Count(text, line))
		}
		text = strings.Replace(text, line, "\t"+changes[i+1]+"\n", 1)
	}
	return text
}

// judge checks events that are all that there was.
func judge(t *testing.T, events []Event) Verdict {
	t.Helper()
	return judgeAsIs(t, whole(events))
}

func whole(events []Event) []Event {
	complete := Event{Kind: Complete}
	if len(events) > 0 {
		complete.At = events[len(events)-1].At
	}
	return append(slices.Clone(events), complete)
}

func judgeAsIs(t *testing.T, events []Event) Verdict {
	t.Helper()
	v, err := Check(Slice(events), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCleanStory(t *testing.T) {
	v := judge(t, script(t, story))
	if !v.Clean() || v.ExitCode() != 0 {
		var b strings.Builder
		v.Print(&b)
		t.Error(b.String())
	}
	n := v.Counts
	if n.Sent != 7 || n.Acked != 6 || n.Refused != 1 || n.Unknown != 0 || n.Stored != 6 || n.Devices != 4 || n.Reconnects != 2 || n.Replays != 1 || n.Unrecovered != 1 {
		t.Errorf("%+v", n)
	}
}

// TestEachFault makes the clean story go wrong in one way, and wants this found and nothing else.
func TestEachFault(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []string
		want    map[Fault]int
	}{
		{"acknowledged and gone", []string{"answer bea1 m7 outcome=refused code=invalid", "answer bea1 m7 outcome=ok"}, faults(Lost)},
		{"twice in the history", []string{"end last=6", "stored m6 seq=7\nend last=7",
			"inbox bea outcome=ok last=6 read=6", "inbox bea outcome=ok last=7 read=6",
			"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=ok last=7 read=5",
			"joined bea1 after=6 last=6 read=6", "joined bea1 after=-1 last=7 read=6",
			"shown  sam1 m6", "shown sam1 m6\nleft sam1"}, faults(Duplicated)},
		{"one number twice in the history", []string{"stored m6", "stored m6\nstored m6"}, faults(Duplicated)},
		{"shown twice", []string{"shown  sam1 m6", "shown sam1 m6\nshown sam1 m6"}, faults(Duplicated)},
		{"replayed what it had", []string{"joined sam1 after=2 last=3 read=2", "joined sam1 after=2 last=3\nshown sam1 m2"}, faults(Duplicated)},
		{"paged twice", []string{"paged  eve1 m2", "paged eve1 m2\npaged eve1 m2"}, faults(Duplicated)},
		{"shown in another order", []string{"shown  sam1 m5", "", "shown  sam1 m6", "shown sam1 m6\nshown sam1 m5"}, faults(Reordered)},
		{"stored in another order", []string{"stored m5", "", "stored m6", "stored m6\nstored m5"}, faults(Reordered)},
		{"not shown", []string{"shown  bea1 m2", ""}, faults(Gap)},
		{"not replayed", []string{"shown  sam1 m3 client=0", ""}, faults(Gap)},
		{"not paged", []string{"paged  eve1 m2", ""}, faults(Gap)},
		{"the last one not shown", []string{"shown  sam1 m6", ""}, faults(Gap)},
		{"a cursor that is too high", []string{"joined sam1 after=2 last=3 read=2", "joined sam1 after=3 last=3", "shown  sam1 m3 client=0", ""}, faults(Gap)},
		{"missed told wrongly", []string{"joined sam1 after=2 last=3 read=2", "joined sam1 after=2 last=3 missed=2"}, faults(Gap)},
		{"a hole in the history", []string{"stored m2", ""}, map[Fault]int{Gap: 1, Lost: 1, Unstored: 1}},
		{"a short history", []string{"end last=6", "end last=7",
			"inbox bea outcome=ok last=6 read=6", "inbox bea outcome=ok last=7 read=6",
			"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=ok last=7 read=5",
			"joined bea1 after=6 last=6 read=6", "left bea1", "shown  sam1 m6", "shown sam1 m6\nleft sam1"}, faults(Gap)},
		{"never sent", []string{"send   bea1 m6", "", "answer bea1 m6 outcome=ok", ""}, faults(Phantom)},
		{"a notification of nothing", []string{"notified sam2 m3", "notified sam2 m3\nnotified sam2 m7 seq=9 sender=bea"}, faults(Phantom)},
		{"shown to a stranger", []string{"admitting eve", "", "expelling eve", "", "expelled  eve outcome=ok", "",
			"joined eve1 after=0 last=4 recovered=false", "", "shown  eve1 m5", "", "shown  eve1 m6 wait=4s", "remark wait=4s",
			"paged  eve1 m1", "", "paged  eve1 m2", "", "paged  eve1 m3 client=0", "looked eve1 m3 client=0", "paged  eve1 m4", ""}, faults(Foreign)},
		{"shown long after the removal", []string{"shown  eve1 m6 wait=4s", "shown eve1 m6 wait=7s"}, faults(Foreign)},
		{"a mark told to a third", []string{"seen   bea1 m1 sender=sam", "seen bea1 m1 sender=sam\nadmitting eve\nseen eve1 m1 sender=sam"}, faults(Foreign)},
		{"another body", []string{"shown  sam1 m5", "shown sam1 m5 body=99"}, faults(Altered)},
		{"another sender", []string{"shown  sam1 m5", "shown sam1 m5 sender=bea"}, faults(Altered)},
		{"another client id", []string{"shown  sam1 m5", "shown sam1 m5 client=99"}, faults(Altered)},
		{"stored with another body", []string{"stored m5", "stored m5 body=99"}, faults(Altered)},
		{"notified of another sender", []string{"notified sam2 m3", "notified sam2 m3 sender=eve"}, faults(Altered)},
		{"shown and gone", []string{"stored m6", "", "end last=6", "end last=5", "joined bea1 after=6 last=6 read=6", "left bea1",
			"answer bea1 m6 outcome=ok", "answer bea1 m6 outcome=unknown",
			"inbox bea outcome=ok last=6 read=6", "inbox bea outcome=ok last=5 read=5",
			"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=ok last=5 read=5"}, faults(Unstored)},
		{"two messages under one number", []string{"shown  sam1 m5", "shown sam1 m4 seq=5"}, faults(Disagreeing)},
		{"two ids", []string{"shown  sam1 m5", "shown sam1 m5 message=99"}, faults(Disagreeing)},
		{"the body that lost", []string{"shown  bea1 m4", "shown bea1 m4 body=44"}, faults(TwoBodies)},
		{"refused and there", []string{"answer bea1 m6 outcome=ok", "answer bea1 m6 outcome=refused code=not_found"}, faults(RefusedStored)},
		{"a conflict of nothing", []string{"answer bea1 m6 outcome=ok", "answer bea1 m6 outcome=ok\nconflict bea1 m6"}, faults(WrongConflict)},
		{"a conflict in the answer to a retry", []string{"answer sam1 m2 outcome=ok", "answer sam1 m2 outcome=refused code=conflict"}, faults(WrongConflict)},
		{"a conflict of what was not sent", []string{"conflict bea1 m4", "conflict bea1 m4\nconflict bea1 m4 client=99"}, faults(WrongConflict)},
		{"an untold conflict", []string{"conflict bea1 m4", "remark wait=11s"}, faults(WrongConflict)},
		{"the second body stands", []string{"send   bea1 m4 body=40", "send bea1 m4 body=41", "answer bea1 m4 body=40 outcome=refused code=rate_limited", "answer bea1 m4 body=41 outcome=ok"}, faults(WrongConflict)},
		{"unread that do not add up", []string{"inbox bea outcome=ok last=6 read=6", "inbox bea outcome=ok last=6 read=6 missed=1"}, faults(WrongUnread)},
		{"a stale inbox", []string{"inbox bea outcome=ok last=6 read=6", "inbox bea outcome=ok last=5 read=5"}, faults(WrongUnread)},
		{"not in the inbox", []string{"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=refused"}, faults(WrongUnread)},
		{"a member made again, and not in the inbox", []string{"inbox eve outcome=refused", "admitting eve\nadmitted eve outcome=ok\ninbox eve outcome=refused"}, faults(WrongUnread)},
		{"a message of a removed member, accepted", []string{"left   eve1", "send eve1 m8 wait=7s\nanswer eve1 m8 outcome=ok\nleft eve1"}, map[Fault]int{Foreign: 1, Lost: 1}},
		{"a message of somebody just removed, accepted", []string{"left   eve1", "send eve1 m8\nanswer eve1 m8 outcome=ok wait=7s\nleft eve1"}, faults(Lost)},
		{"a mark that went back", []string{"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=ok last=6 read=4"}, faults(WrongMark)},
		{"a mark that nobody made", []string{"inbox sam outcome=ok last=6 read=5", "inbox sam outcome=ok last=6 read=6"}, faults(WrongMark)},
		{"a join that tells too high a mark", []string{"joined sam1 after=2 last=3 read=2", "joined sam1 after=2 last=3 read=9"}, faults(WrongMark)},
		{"a mark told that nobody made", []string{"seen   sam1 m5 sender=bea", "seen sam1 m4 sender=bea"}, faults(WrongMark)},
		{"a mark told of another number", []string{"seen   sam1 m5 sender=bea", "seen sam1 m5 seq=4 sender=bea"}, faults(WrongMark)},
		{"shown after leaving", []string{"notified sam2 m3", "shown sam2 m3 client=0"}, faults(Uninvited)},
		{"the sender notified", []string{"notified sam2 m3", "notified bea1 m3"}, faults(Uninvited)},
		{"an older head", []string{"joined bea1 after=6 last=6 read=6", "joined bea1 after=6 last=5 read=6\njoined bea1 after=6 last=6"}, faults(Backwards)},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, script(t, edit(t, story, c.changes...)))
			if !maps.Equal(v.Findings, c.want) || v.ExitCode() != 1 {
				var b strings.Builder
				v.Print(&b)
				t.Fatalf("%v was wanted\n%s", c.want, b.String())
			}
			for _, f := range v.Examples {
				if len(f.Events) == 0 || f.Text == "" {
					t.Errorf("%s has nothing that proves it", f.Kind)
				}
			}
		})
	}
}

func faults(f Fault) map[Fault]int { return map[Fault]int{f: 1} }

// TestNumberedAgainstTime: what was sent after another message had been acknowledged has a higher number.
func TestNumberedAgainstTime(t *testing.T) {
	const text = `
	admitting bea
	connected bea1
	joined bea1 after=0 last=0
	send   bea1 m3
	answer bea1 m3 outcome=ok
	send   bea1 m1
	answer bea1 m1 outcome=ok
	shown  bea1 m1
	shown  bea1 m3 seq=2
	stored m1
	stored m3 seq=2
	end last=2
`
	if v := judge(t, script(t, text)); !maps.Equal(v.Findings, faults(Reordered)) {
		t.Errorf("%+v", v)
	}
	overlapping := edit(t, text, "answer bea1 m3 outcome=ok", "", "answer bea1 m1 outcome=ok", "answer bea1 m1 outcome=ok\nanswer bea1 m3 outcome=ok")
	if v := judge(t, script(t, overlapping)); !v.Clean() {
		t.Errorf("%+v", v)
	}
}

// TestTolerated: what looks like a fault and is none.
func TestTolerated(t *testing.T) {
	for name, changes := range map[string][]string{
		"an unknown outcome that was stored":              {"answer bea1 m6 outcome=ok", "answer bea1 m6 outcome=unknown code=unavailable"},
		"no answer at all":                                {"answer bea1 m6 outcome=ok", ""},
		"refused after an unknown outcome":                {"answer bea1 m6 outcome=ok", "answer bea1 m6 outcome=unknown\nsend bea1 m6\nanswer bea1 m6 outcome=refused code=rate_limited"},
		"a notification again":                            {"notified sam2 m3", "notified sam2 m3\nnotified sam2 m3"},
		"a notification before its answer":                {"send   bea1 m3 client=0", "send bea1 m3 client=0\nnotified sam2 m3"},
		"joined again on one connection":                  {"shown  sam1 m6", "shown sam1 m6\njoined sam1 after=4 last=6"},
		"cut off in a replay":                             {"shown  sam1 m3 client=0", "disconnected sam1\nconnected sam1\njoined sam1 after=2 last=3\nshown sam1 m3 client=0"},
		"cut off while paging":                            {"paged  eve1 m3 client=0", "disconnected eve1\nconnected eve1\njoined eve1 after=2 last=5\nshown eve1 m3 client=0", "paged  eve1 m4", "shown eve1 m4\nshown eve1 m5"},
		"an older cursor, and what follows it":            {"joined bea1 after=6 last=6 read=6", "joined bea1 after=4 last=6\nshown bea1 m5\nshown bea1 m6"},
		"an untold conflict of a device that was cut off": {"conflict bea1 m4", ""},
		"a conflict in the answer":                        {"answer bea1 m4 body=44 outcome=ok", "answer bea1 m4 body=44 outcome=refused code=conflict", "conflict bea1 m4", ""},
		"disconnected before the last":                    {"shown  sam1 m6", "disconnected sam1"},
		"left before the last":                            {"shown  sam1 m6", "left sam1"},
		"a mark whose outcome is unknown, made":           {"inbox sam outcome=ok last=6 read=5", "mark sam2 m6\nmarked sam2 m6 outcome=unknown\ninbox sam outcome=ok last=6 read=6"},
		"nobody knows whether a member was made":          {"inbox eve outcome=refused", "admitting eve\ninbox eve outcome=refused"},
		"a mark whose outcome is unknown, not made":       {"inbox sam outcome=ok last=6 read=5", "mark sam2 m6\nmarked sam2 m6 outcome=unknown\ninbox sam outcome=ok last=6 read=5"},
	} {
		if v := judge(t, script(t, edit(t, story, changes...))); !v.Clean() {
			var b strings.Builder
			v.Print(&b)
			t.Errorf("%s:\n%s", name, b.String())
		}
	}
}

func TestIncomplete(t *testing.T) {
	if v := judge(t, script(t, edit(t, story, "end last=6", ""))); v.Clean() || v.ExitCode() != 2 || v.Counts.Acked != 6 {
		t.Errorf("a history that was not read back: %+v", v)
	}
	if v := judge(t, script(t, edit(t, story, "settled wait=20s outcome=ok", "settled"))); v.Clean() || v.ExitCode() != 2 {
		t.Errorf("a history that was read back before everything was at rest: %+v", v)
	}
	if v := judgeAsIs(t, script(t, story)); v.Clean() || v.ExitCode() != 2 {
		t.Errorf("a history that was cut: %+v", v)
	}
	if v := judge(t, nil); v.Clean() || v.ExitCode() != 2 {
		t.Errorf("an empty history: %+v", v)
	}
}

func TestEvidenceTellsTheStory(t *testing.T) {
	v := judge(t, script(t, edit(t, story, "shown  sam1 m6", "shown sam1 m6\nshown sam1 m6")))
	var kinds []string
	for _, e := range v.Examples[0].Events {
		kinds = append(kinds, e.Kind.String())
	}
	got := strings.Join(kinds, " ")
	if got != "disconnected connected joined send answer shown shown shown shown stored" {
		t.Errorf("%s", got)
	}
}
