import { useState } from "preact/hooks";
import { signIn } from "../core/session";
import { t } from "../i18n";
import { Field } from "../parts/ui";

export function SignIn() {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setError(null);
    try {
      await signIn(String(form.get("username")), String(form.get("password")));
    } catch (failure) {
      setError(failure instanceof TypeError ? t("state.offline") : (failure as Error).message);
      setBusy(false);
    }
  };
  return (
    <main class="sign-in" id="content" tabIndex={-1}>
      <h1>RailFleet</h1>
      <form onSubmit={(event) => void submit(event)}>
        <Field label={t("sign-in.name")}>
          <input name="username" autocomplete="username" required />
        </Field>
        <Field label={t("sign-in.password")}>
          <input name="password" type="password" autocomplete="current-password" required />
        </Field>
        {error && <p class="failure" role="alert">{error}</p>}
        <button type="submit" disabled={busy}>{t("sign-in.go")}</button>
      </form>
    </main>
  );
}
