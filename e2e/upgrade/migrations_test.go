package upgrade

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// migrations lists the migrations below a tree, by their paths in it.
func migrations(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, folder := range []string{"services", "pkg"} {
		paths, err := filepath.Glob(filepath.Join(root, folder, "*", "migrations", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			t.Fatalf("there are no migrations in %s", folder)
		}
		for _, path := range paths {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			short, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			files[short] = file
		}
	}
	return files
}

func TestEveryMigrationSuitsTheReleaseBefore(t *testing.T) {
	t.Parallel()
	all := migrations(t, tree)
	var unique []string
	for _, file := range all {
		unique = append(unique, UniqueIndexes(string(file))...)
	}
	for path, file := range all {
		verdict := Judge(string(file), unique...)
		for _, wrong := range verdict.Refused {
			t.Errorf("%s: %s", path, wrong)
		}
		for _, s := range verdict.Shown {
			if !has(t, s) {
				t.Errorf("%s: there is no %s in %s", path, s.Test, s.Package)
			}
		}
	}
}

// has reports whether a test exists.
func has(t *testing.T, s Shown) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(tree, s.Package, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(source, []byte("func "+s.Test+"(t *testing.T)"))
	})
}

func TestReleasedMigrationsDoNotChangeAndNewOnesComeAfterThem(t *testing.T) {
	t.Parallel()
	h := openHistory(t)
	now, released := migrations(t, tree), migrations(t, h.sources(t))
	last := map[string]string{}
	for path, file := range released {
		if !bytes.Equal(now[path], file) {
			t.Errorf("%s was released with %s and has been changed: databases that have it will not get the change", path, h.previous)
		}
		last[filepath.Dir(path)] = max(last[filepath.Dir(path)], filepath.Base(path))
	}
	for path, file := range now {
		if released[path] == nil && filepath.Base(path) < last[filepath.Dir(path)] {
			t.Errorf("%s is new and comes before %s, which was released with %s", path, last[filepath.Dir(path)], h.previous)
		}
		for _, since := range Judge(string(file)).Since {
			if !h.before(t, since, h.previous) {
				t.Errorf("%s takes away what was last needed before %s, but the release that it runs beside is %s", path, since, h.previous)
			}
		}
	}
}

func TestAMigrationThatTheReleaseBeforeCannotLiveWithIsRefused(t *testing.T) {
	t.Parallel()
	const unknown, unfilled = "is not known to live with it", "needs a default"
	for _, test := range []struct{ sql, refused string }{
		{`CREATE TABLE refunds (order_id uuid PRIMARY KEY, why text NOT NULL CHECK (why <> ''), n numeric(10, 2) UNIQUE)`, ""},
		{`CREATE TABLE refunds (a int); CREATE UNIQUE INDEX refunds_a ON refunds (a); ALTER TABLE refunds ALTER a SET NOT NULL`, ""},
		{`ALTER TABLE payments ADD COLUMN note text`, ""},
		{`ALTER TABLE payments ADD COLUMN note text NOT NULL DEFAULT 'it''s; nothing', ADD COLUMN at timestamptz DEFAULT now() NOT NULL`, ""},
		{`ALTER TABLE payments SET (fillfactor = 50); COMMENT ON TABLE payments IS 'money'`, ""},
		{`ALTER TABLE payments VALIDATE CONSTRAINT positive`, ""},

		{`DROP TABLE payments`, unknown},
		{`TRUNCATE payments`, unknown},
		{`UPDATE payments SET code = ''`, unknown},
		{`ALTER TABLE payments DROP COLUMN code`, unknown},
		{`ALTER TABLE payments RENAME COLUMN code TO word`, unknown},
		{`ALTER TABLE payments RENAME TO charges`, unknown},
		{`ALTER TABLE payments ALTER COLUMN amount TYPE integer`, unknown},
		{`ALTER TABLE payments ALTER COLUMN due_at SET NOT NULL`, unknown},
		{`ALTER TABLE payments ADD CONSTRAINT positive CHECK (amount > 0)`, unknown},
		{`ALTER TABLE payments ADD COLUMN note text UNIQUE`, unknown},
		{`ALTER TABLE payments ADD COLUMN note text, DROP COLUMN code`, unknown},
		{`ALTER TABLE payments ADD COLUMN note text NOT NULL`, unfilled},
		{`ALTER TABLE payments ADD COLUMN at timestamptz NOT NULL DEFAULT clock_timestamp()`, unknown},
		{`ALTER TABLE payments ADD COLUMN n bigserial`, "written anew"},
		{`-- ALTER TABLE payments ADD COLUMN note text;
			ALTER TABLE payments DROP -- the column
			COLUMN code`, unknown},
		{`COMMENT ON TABLE payments IS 'money'; DROP TABLE payments; COMMENT ON TABLE payments IS ''`, unknown},
		{`SELECT E'\'; DROP TABLE payments; --'`, "does not know"},
		{`DO $do$ BEGIN DROP TABLE payments; END $do$`, "does not know"},
		{`COMMENT ON TABLE payments IS 'money`, "no end"},
		{`COMMENT ON TABLE "payments IS 'money'`, "no end"},
		{`COMMENT ON COLUMN payments."a""; --" IS ''; DROP TABLE payments`, unknown},
		{`ALTER TABLE "payments" ADD COLUMN note text`, unknown},

		{`CREATE INDEX payments_code ON payments (code)`, "CONCURRENTLY"},
		{`CREATE UNIQUE INDEX payments_code ON payments (code)`, "may write what it forbids"},
		{`CREATE INDEX CONCURRENTLY payments_code ON payments (code)`, "interrupted"},
		{`DROP INDEX CONCURRENTLY IF EXISTS payments_code; CREATE INDEX CONCURRENTLY payments_code ON payments (code)`, "interrupted"},
		{`DROP INDEX CONCURRENTLY IF EXISTS payments_due; CREATE INDEX CONCURRENTLY payments_code ON payments (code)`, "transaction"},
		{`DROP INDEX CONCURRENTLY IF EXISTS payments_due`, "transaction"},
		{`DROP INDEX payments_due`, unknown},
		{"-- +goose NO TRANSACTION\nDROP INDEX CONCURRENTLY IF EXISTS payments_due", ""},
		{"-- +goose NO TRANSACTION\nDROP INDEX CONCURRENTLY IF EXISTS payments_once", "relies on"},
		{`ALTER TABLE payments DROP CONSTRAINT IF EXISTS payments_order_id_fkey`, ""},
		{`ALTER TABLE payments DROP CONSTRAINT payments_pkey`, unknown},
		{"-- +goose NO TRANSACTION\nDROP INDEX CONCURRENTLY IF EXISTS payments_code; CREATE INDEX CONCURRENTLY payments_code ON payments (code)", ""},

		{"-- contract: since v1.4.0 nothing reads or writes it\nALTER TABLE payments DROP COLUMN code", ""},
		{"-- contract: since v1.4.0 nothing reads or writes it\nALTER TABLE payments DROP COLUMN code; DROP TABLE payments", unknown},
		{"-- contract: it is not needed\nALTER TABLE payments DROP COLUMN code", "since <release>"},
		{"-- contract: since v1.4.0 nothing needs it\nALTER TABLE payments ADD COLUMN note text", "takes nothing away"},
		{"ALTER TABLE payments ADD COLUMN note text;\n-- contract: since v1.4.0 nothing needs it", "no statement"},
		{"CREATE TABLE a (n int);\n-- +goose Down\nDROP TABLE a", "way down"},
	} {
		verdict := Judge("-- +goose Up\n"+test.sql, "payments_once")
		refused := strings.Join(verdict.Refused, "\n")
		if (refused == "") != (test.refused == "") || !strings.Contains(refused, test.refused) {
			t.Errorf("%s\nis refused for %q, want %q", test.sql, refused, test.refused)
		}
	}
	if refused := Judge("CREATE TABLE a (n int)").Refused; len(refused) == 0 {
		t.Error("a file without +goose Up is let in")
	}
	if names := UniqueIndexes("CREATE UNIQUE INDEX payments_once ON payments (charge_id); CREATE INDEX a ON payments (b)"); !slices.Equal(names, []string{"payments_once"}) {
		t.Errorf("unique indexes are %v", names)
	}
	verdict := Judge("-- +goose Up\n-- shown: pkg/inbox TestOne\n-- shown: pkg/outbox TestTwo\nDROP TABLE payments")
	if len(verdict.Refused) != 0 || !slices.Equal(verdict.Shown, []Shown{{"pkg/inbox", "TestOne"}, {"pkg/outbox", "TestTwo"}}) {
		t.Errorf("what tests show: %+v", verdict)
	}
	if since := Judge("-- +goose Up\n-- contract: since v1.4.0 nothing needs it\nDROP TABLE payments").Since; !slices.Equal(since, []string{"v1.4.0"}) {
		t.Errorf("the contract is of %v", since)
	}
}
