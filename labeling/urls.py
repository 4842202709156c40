"""Every address of Parley, one line each. A test walks this list and finds an access rule on every view."""

from django.urls import path

from labeling.accounts.views import (
    account,
    api_tokens,
    confirm,
    people,
    person,
    second_factor,
    sessions,
    sign_in,
    single_sign_on,
    snippets,
)
from labeling.accounts.views import links as account_links
from labeling.api import routes
from labeling.challenges.views import administration as challenge_administration
from labeling.challenges.views import entries as challenge_entries
from labeling.challenges.views import jury, oversight
from labeling.challenges.views import public as public_challenges
from labeling.challenges.views import results as challenge_results
from labeling.dialogues.views import chat, editor, regeneration, review, start, suggestions
from labeling.evaluations.views import labels as probe_labels
from labeling.evaluations.views import limits
from labeling.exports.views import data, export
from labeling.imports import views as imports_views
from labeling.jobs import views as jobs_views
from labeling.operations.views import audit, health, metrics
from labeling.preview.views import door as preview_door
from labeling.preview.views import mine, visit, words
from labeling.preview.views import settings as preview_settings
from labeling.projects.views import guidelines, home, lists, project
from labeling.prompts import views as prompts_views
from labeling.quality.views import acceptance, disagreements, notes, own_work, quality
from labeling.rankings.views import adjudications, changes, corrections, practice, ranking, references
from labeling.retention import views as retention_views
from labeling.rounds.views import evaluations, job_logs, leaderboard, model_files, models, rounds, runs
from labeling.safety.views import appeals, filter_quality, filters, labels, rules, screenings
from labeling.safety.views import reports as safety_reports
from labeling.safety.views import thumbs as safety_thumbs
from labeling.safety.views import triage as safety_triage
from labeling.sampling import streaming
from labeling.sampling import views as sampling_views
from labeling.webhooks import views as webhooks_views
from labeling.withdrawals.views import affected, forward, withdrawals

handler500 = "labeling.api.errors.unhandled_error"

_PERSON = "people/<uuid:user_id>/"
_PERSONS_SESSION = f"{_PERSON}sessions/<uuid:session_id>/"
_PERSONS_TOKEN = f"{_PERSON}tokens/<uuid:token_id>/"
_DIALOGUE = "p/<slug:slug>/write/<uuid:dialogue_id>/"
_MESSAGE = f"{_DIALOGUE}messages/<uuid:message_id>/"
_CHAT = "p/<slug:slug>/chat/<uuid:dialogue_id>/"
_CHAT_MESSAGE = f"{_CHAT}messages/<uuid:message_id>/"
_CASE = "p/<slug:slug>/triage/<uuid:case_id>/"
_REVIEW = "p/<slug:slug>/review/<uuid:dialogue_id>/"
_EXPORT = "p/<slug:slug>/data/exports/<uuid:export_id>/"
_WEBHOOK = "p/<slug:slug>/data/webhooks/<uuid:webhook_id>/"
_IMPORT = "p/<slug:slug>/data/imports/<uuid:import_id>/"
_NEAR_DUPLICATE = "p/<slug:slug>/data/near-duplicates/<uuid:prompt_id>/"
_REFERENCE = "p/<slug:slug>/quality/references/<uuid:comparison_id>/"
_DISAGREEMENT = "p/<slug:slug>/quality/disagreements/<uuid:comparison_id>/"
_ADJUDICATION = "p/<slug:slug>/quality/adjudications/<uuid:adjudication_id>/"
_SAMPLED = "p/<slug:slug>/rounds/sampling/<uuid:comparison_id>/"
_EVALUATION = "p/<slug:slug>/rounds/evaluations/<uuid:evaluation_id>/"
_RANKING = "p/<slug:slug>/rankings/<uuid:ranking_id>/"
_WITHDRAWALS = "p/<slug:slug>/quality/withdrawals/"
_CHALLENGE = "challenges/<slug:challenge_slug>/"
_RUN_CHALLENGE = "p/<slug:slug>/challenges/<uuid:challenge_id>/"
_ENTRY_OF = f"{_RUN_CHALLENGE}entries/<uuid:entry_id>/"
_APPEAL = "p/<slug:slug>/appeals/<uuid:appeal_id>/"
_SAMPLE = "p/<slug:slug>/settings/preview/samples/<int:sample_id>/"
_VISIT = "t/<slug:slug>/chat/<uuid:dialogue_id>/"
_JOB = "p/<slug:slug>/rounds/jobs/<uuid:job_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/second/", sign_in.second_step, name="second_step"),
    path("sign-in/passkey/", sign_in.passkey_sign_in, name="passkey_sign_in"),
    path("sign-in/passkey/challenge/", sign_in.passkey_challenge, name="passkey_challenge"),
    path("sign-in/forgotten/", account_links.forgotten, name="forgotten_password"),
    path("sign-in/link/<str:secret>/", account_links.account_link, name="account_link"),
    path("sign-in/provider/", single_sign_on.to_provider, name="to_provider"),
    path("sign-in/provider/leave/", single_sign_on.leave_provider, name="leave_provider"),
    # allauth looks this name up for the address that the provider sends people back to.
    path("sign-in/<slug:provider_id>/callback/", single_sign_on.from_provider, name="openid_connect_callback"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    # The person.
    path("account/", account.account, name="account"),
    path("account/password/", account.change_password, name="change_password"),
    path("account/theme/", account.theme, name="theme"),
    path("account/tokens/", api_tokens.tokens, name="tokens"),
    path("account/tokens/<uuid:token_id>/revoke/", api_tokens.revoke, name="revoke_token"),
    path("account/address/prove/", account_links.prove_address, name="prove_address"),
    path("account/confirm/", confirm.confirm, name="confirm"),
    path("account/confirm/form/", confirm.held_form, name="held_form"),
    path("account/confirm/passkey/", confirm.confirm_by_passkey, name="confirm_by_passkey"),
    path("account/confirm/provider/", single_sign_on.confirm_at_provider, name="confirm_at_provider"),
    path("account/provider/join/", single_sign_on.join_provider, name="join_provider"),
    path("account/sessions/", sessions.sessions, name="sessions"),
    path("account/sessions/end-others/", sessions.end_others, name="end_other_sessions"),
    path("account/sessions/<uuid:session_id>/end/", sessions.end, name="end_session"),
    path("account/second-factor/", second_factor.second_factor, name="second_factor"),
    path("account/second-factor/app/", second_factor.set_up_app, name="set_up_app"),
    path("account/second-factor/passkey/", second_factor.add_passkey, name="add_passkey"),
    path("account/second-factor/passkey/creation/", second_factor.passkey_creation, name="passkey_creation"),
    path("account/second-factor/recovery/", second_factor.recovery_codes, name="recovery_codes"),
    path("account/second-factor/<int:factor_id>/remove/", second_factor.remove, name="remove_factor"),
    path("account/tour/", account.tour_seen, name="tour_seen"),
    path("account/snippets/", snippets.snippets, name="snippets"),
    path("account/snippets/<uuid:snippet_id>/", snippets.change, name="change_snippet"),
    path("account/snippets/<uuid:snippet_id>/delete/", snippets.delete, name="delete_snippet"),
    path("account/snippets/<uuid:snippet_id>/put-back/", snippets.put_back, name="put_back_snippet"),
    path("history/", own_work.history, name="history"),
    # People.
    path("people/", people.people, name="people"),
    path("people/<uuid:user_id>/", person.person_access, name="person_access"),
    path("people/<uuid:user_id>/erase/", retention_views.erase_person, name="erase_person"),
    path("people/<uuid:user_id>/link/", person.make_password_link, name="make_password_link"),
    path("people/<uuid:user_id>/sessions/end/", person.end_persons_sessions, name="end_persons_sessions"),
    path(f"{_PERSONS_SESSION}end/", person.end_persons_session, name="end_persons_session"),
    path(f"{_PERSONS_TOKEN}revoke/", person.revoke_persons_token, name="revoke_persons_token"),
    path(f"{_PERSON}second-factor/remove/", person.remove_second_factors, name="remove_second_factors"),
    path("people/<uuid:user_id>/role/", people.change_role, name="change_role"),
    path("people/<uuid:user_id>/close/", people.close_account, name="close_account"),
    path("people/<uuid:user_id>/open/", people.open_account, name="open_account"),
    path("people/<uuid:user_id>/password/", people.reset_password, name="reset_password"),
    # Projects.
    path("new-project/", project.new_project, name="new_project"),
    path("p/<slug:slug>/", project.project, name="project"),
    path("p/<slug:slug>/settings/", project.project_settings, name="project_settings"),
    path("p/<slug:slug>/settings/archive/", project.archive_project, name="archive_project"),
    path("p/<slug:slug>/settings/guidelines/", guidelines.edit_guidelines, name="edit_guidelines"),
    path("p/<slug:slug>/settings/people/", project.project_people, name="project_people"),
    path("p/<slug:slug>/guidelines/", guidelines.guidelines, name="guidelines"),
    path("preview/", guidelines.preview, name="preview"),
    # Writing.
    path("p/<slug:slug>/write/", start.write, name="write"),
    path("p/<slug:slug>/write/start/", start.start_dialogue, name="start_dialogue"),
    path("p/<slug:slug>/write/topics/", start.choose_topics, name="choose_topics"),
    path("p/<slug:slug>/write/pool/<uuid:prompt_id>/pass/", start.not_my_topic, name="not_my_topic"),
    path(_DIALOGUE, editor.dialogue, name="dialogue"),
    path(f"{_DIALOGUE}messages/", editor.add_message, name="add_message"),
    path(f"{_MESSAGE}edit/", editor.edit_message, name="edit_message"),
    path(f"{_MESSAGE}fits/", editor.still_fits, name="still_fits"),
    path(f"{_DIALOGUE}comments/<uuid:comment_id>/answer/", editor.answer_comment, name="answer_comment"),
    path(f"{_MESSAGE}delete/", editor.delete_message, name="delete_message"),
    path(_MESSAGE, regeneration.message, name="message"),
    path(f"{_MESSAGE}again/", regeneration.regenerate_message, name="regenerate_message"),
    path(f"{_MESSAGE}put-back/", regeneration.put_back_message, name="put_back_message"),
    path(f"{_DIALOGUE}stop-regenerating/", regeneration.stop_regenerating, name="stop_regenerating"),
    path(f"{_MESSAGE}branch/", editor.branch_dialogue, name="branch_dialogue"),
    path(f"{_DIALOGUE}composer/", editor.save_composer, name="save_composer"),
    path(f"{_DIALOGUE}submit/", editor.submit_dialogue, name="submit_dialogue"),
    path(f"{_DIALOGUE}undo/", editor.undo_submission, name="undo_submission"),
    path(f"{_DIALOGUE}withdraw/", editor.withdraw_dialogue, name="withdraw_dialogue"),
    path(f"{_DIALOGUE}suggestions/", suggestions.suggestions, name="suggestions"),
    path(f"{_DIALOGUE}suggestions/ask/", suggestions.suggest, name="suggest"),
    path(f"{_DIALOGUE}suggestions/<uuid:run_id>/stop/", suggestions.stop_suggestions, name="stop_suggestions"),
    path(f"{_DIALOGUE}suggestions/<uuid:run_id>/none/", suggestions.none_fit, name="none_fit"),
    path(f"{_DIALOGUE}take/<uuid:completion_id>/", suggestions.take_suggestion, name="take_suggestion"),
    # Chatting.
    path("p/<slug:slug>/chat/", chat.chat, name="chat"),
    path("p/<slug:slug>/chat/start/", chat.start_chat, name="start_chat"),
    path(_CHAT, chat.chat_dialogue, name="chat_dialogue"),
    path(f"{_CHAT}say/", chat.say, name="say"),
    path(f"{_CHAT}regenerate/", chat.regenerate, name="regenerate"),
    path(f"{_CHAT}stop/<uuid:run_id>/", chat.stop_answer, name="stop_answer"),
    path(f"{_CHAT}choose/<uuid:completion_id>/", chat.choose_answer, name="choose_answer"),
    path("stream/<uuid:run_id>/", streaming.stream, name="stream"),
    # Saying what is wrong with an answer, and triage of what was said.
    path(f"{_CHAT_MESSAGE}thumb/", safety_thumbs.thumb_message, name="thumb_message"),
    path(f"{_CHAT_MESSAGE}report/", safety_reports.report_message, name="report_message"),
    path("history/reports/", safety_reports.my_reports, name="my_reports"),
    path("p/<slug:slug>/triage/", safety_triage.triage_queue, name="triage"),
    path("p/<slug:slug>/triage/decided/", safety_triage.decided_cases, name="decided_cases"),
    path(_CASE, safety_triage.case, name="case"),
    path(f"{_CASE}reveal/", safety_triage.reveal_case, name="reveal_case"),
    path(f"{_CASE}decide/", safety_triage.decide_case, name="decide_case"),
    path(f"{_CASE}reopen/", safety_triage.reopen_case, name="reopen_case"),
    path(f"{_CASE}follow/", safety_triage.follow_case, name="follow_case"),
    # Reviewing.
    path("p/<slug:slug>/review/", review.review, name="review"),
    path("p/<slug:slug>/review/all/", lists.dialogues, name="dialogues"),
    path(_REVIEW, review.review_dialogue, name="review_dialogue"),
    path(f"{_REVIEW}accept/", review.accept_dialogue, name="accept_dialogue"),
    path(f"{_REVIEW}return/", review.return_dialogue, name="return_dialogue"),
    path(f"{_REVIEW}messages/<uuid:message_id>/comment/", review.comment_on_message, name="comment_on_message"),
    path(f"{_REVIEW}comments/<uuid:comment_id>/take-back/", review.take_back_comment, name="take_back_comment"),
    path(f"{_REVIEW}undo/", acceptance.undo_acceptance, name="undo_acceptance"),
    # Data out and in.
    path("p/<slug:slug>/data/", data.data, name="data"),
    path("p/<slug:slug>/data/exports/", lists.exports, name="exports"),
    path("p/<slug:slug>/data/exports/new/", data.new_export, name="new_export"),
    path(_EXPORT, export.export, name="export"),
    path(f"{_EXPORT}state/", export.export_state, name="export_state"),
    path(f"{_EXPORT}row/", export.export_row, name="export_row"),
    path(f"{_EXPORT}differences/", export.export_differences, name="export_differences"),
    path(f"{_EXPORT}cancel/", export.cancel_export, name="cancel_export"),
    path(f"{_EXPORT}files/<str:name>", export.export_file, name="export_file"),
    path("p/<slug:slug>/data/near-duplicates/", prompts_views.pairs, name="near_duplicates"),
    path("p/<slug:slug>/data/near-duplicates/retire/", prompts_views.retire_all, name="retire_near_duplicates"),
    path(f"{_NEAR_DUPLICATE}decide/", prompts_views.decide, name="decide_near_duplicate"),
    path("p/<slug:slug>/data/prompts/", lists.prompts, name="prompts"),
    path("p/<slug:slug>/data/prompts/<uuid:prompt_id>/retire/", lists.retire_prompt, name="retire_prompt"),
    path("p/<slug:slug>/data/thumbs/", lists.thumbs, name="thumbs"),
    path("p/<slug:slug>/data/thumbs/<uuid:thumb_id>/retract/", lists.retract_thumb, name="retract_thumb"),
    path("p/<slug:slug>/data/webhooks/", webhooks_views.webhooks, name="webhooks"),
    path(_WEBHOOK, webhooks_views.webhook, name="webhook"),
    path(f"{_WEBHOOK}close/", webhooks_views.close, name="close_webhook"),
    path(f"{_WEBHOOK}rotate/", webhooks_views.rotate, name="rotate_webhook"),
    path(f"{_WEBHOOK}retry/", webhooks_views.retry, name="retry_webhook"),
    path("p/<slug:slug>/data/imports/", lists.imports, name="imports"),
    path("p/<slug:slug>/data/imports/new/", imports_views.new_import, name="new_import"),
    path(_IMPORT, imports_views.import_page, name="import"),
    path(f"{_IMPORT}state/", imports_views.import_state, name="import_state"),
    path(f"{_IMPORT}reading/", imports_views.read_import_differently, name="read_import_differently"),
    path(f"{_IMPORT}discard/", imports_views.discard_import, name="discard_import"),
    # Rounds and models.
    path("p/<slug:slug>/rounds/", rounds.rounds_page, name="rounds"),
    path("p/<slug:slug>/rounds/stations/", rounds.round_step_row, name="round_step_row"),
    path("p/<slug:slug>/rounds/sampling/", sampling_views.sampling, name="sampling"),
    path("p/<slug:slug>/rounds/sampling/retry/", sampling_views.retry_all_sampling, name="retry_all_sampling"),
    path(f"{_SAMPLED}retry/", sampling_views.retry_sampling, name="retry_sampling"),
    path(f"{_SAMPLED}leave-out/", sampling_views.leave_out_comparison, name="leave_out_comparison"),
    path("p/<slug:slug>/rounds/open/", rounds.open_round, name="open_round"),
    path("p/<slug:slug>/rounds/train/", rounds.start_training, name="start_training"),
    path("p/<slug:slug>/rounds/jobs/", lists.jobs, name="training_jobs"),
    path("p/<slug:slug>/rounds/runs/", runs.runs, name="runs"),
    path(_JOB, rounds.training_job, name="training_job"),
    path(f"{_JOB}state/", rounds.job_state, name="job_state"),
    path(f"{_JOB}row/", rounds.job_row, name="job_row"),
    path(f"{_JOB}log/", job_logs.job_log, name="job_log"),
    path(f"{_JOB}log/<int:attempt>/", job_logs.job_log_file, name="job_log_file"),
    path(f"{_JOB}stop/", rounds.stop_job, name="stop_job"),
    path(f"{_JOB}retry/", rounds.retry_job, name="retry_job"),
    path("p/<slug:slug>/rounds/evaluations/", evaluations.evaluations, name="evaluations"),
    path(_EVALUATION, evaluations.evaluation, name="evaluation"),
    path(f"{_EVALUATION}stop/", evaluations.stop_evaluation, name="stop_evaluation"),
    path("p/<slug:slug>/rounds/compare/<uuid:policy_id>/", rounds.compare_policy, name="compare_policy"),
    path("p/<slug:slug>/rounds/promote/<uuid:policy_id>/", rounds.promote_policy, name="promote_policy"),
    path("models/", models.models, name="models"),
    path("models/leaderboard/", leaderboard.leaderboard, name="leaderboard"),
    path("models/<uuid:model_id>/", models.model, name="model"),
    path("models/<uuid:model_id>/download/", model_files.download_model, name="download_model"),
    path("models/<uuid:model_id>/share/", models.share_model, name="share_model"),
    path("models/<uuid:model_id>/share/<slug:slug>/revoke/", models.revoke_share, name="revoke_share"),
    path("models/<uuid:model_id>/beside/", model_files.compare_models, name="compare_models"),
    path("workers/", jobs_views.workers, name="workers"),
    # Quality.
    path("p/<slug:slug>/quality/", quality.quality, name="quality"),
    path("p/<slug:slug>/quality/boards/<slug:figure>/", quality.boards, name="boards_behind"),
    path("p/<slug:slug>/quality/notes/", notes.notes, name="notes"),
    path("p/<slug:slug>/quality/comments/", notes.comments, name="comments"),
    path("p/<slug:slug>/quality/notes/<uuid:ranking_id>/", notes.noted_ranking, name="noted_ranking"),
    path("p/<slug:slug>/quality/references/", references.references, name="references"),
    path("p/<slug:slug>/quality/references/choose/", references.choose_comparison, name="choose_comparison"),
    path(f"{_REFERENCE}new/", references.new_reference, name="new_reference"),
    path(_REFERENCE, references.reference, name="reference"),
    path(f"{_REFERENCE}retire/", references.retire_reference, name="retire_reference"),
    path("p/<slug:slug>/quality/disagreements/", disagreements.disagreements, name="disagreements"),
    path(_DISAGREEMENT, disagreements.disagreement, name="disagreement"),
    path(f"{_DISAGREEMENT}send/", disagreements.send_to_adjudication, name="send_to_adjudication"),
    path("p/<slug:slug>/quality/adjudications/", adjudications.adjudications, name="adjudications"),
    path(_ADJUDICATION, adjudications.adjudication, name="adjudication"),
    path(f"{_ADJUDICATION}draft/", adjudications.adjudication_draft, name="adjudication_draft"),
    path(f"{_ADJUDICATION}renew/", adjudications.renew_adjudication, name="renew_adjudication"),
    path(f"{_ADJUDICATION}decide/", adjudications.decide_adjudication, name="decide_adjudication"),
    path(f"{_ADJUDICATION}give-back/", adjudications.give_back_adjudication, name="give_back_adjudication"),
    path(f"{_ADJUDICATION}withdraw/", adjudications.withdraw_adjudication, name="withdraw_adjudication"),
    # The content filter: a project's rules, what it saw, and the filters.
    path("p/<slug:slug>/rules/", rules.rules, name="rules"),
    path("p/<slug:slug>/screenings/", screenings.screenings, name="screenings"),
    path("p/<slug:slug>/screenings/<uuid:screening_id>/", screenings.screening, name="screening"),
    path("filters/", filters.filters, name="filters"),
    path("filters/<uuid:filter_id>/", filters.filter_page, name="filter"),
    path("filters/<uuid:filter_id>/promote/", filters.promote_filter, name="promote_filter"),
    # Appeals, labels, and the filter's own loop.
    path("account/appeals/", appeals.own_appeals, name="own_appeals"),
    path("p/<slug:slug>/screenings/<uuid:screening_id>/appeal/", appeals.appeal, name="appeal"),
    path("p/<slug:slug>/appeals/", appeals.queue, name="appeals"),
    path(_APPEAL, appeals.decide, name="decide_appeal"),
    path(f"{_APPEAL}reveal/", appeals.reveal, name="reveal_appeal"),
    path("p/<slug:slug>/labels/", labels.label, name="label_texts"),
    path("p/<slug:slug>/filter-quality/", filter_quality.filter_quality, name="filter_quality"),
    path("p/<slug:slug>/filter-training/", filter_quality.filter_training, name="filter_training"),
    # Limits of policies.
    path("p/<slug:slug>/limits/", limits.limits, name="limits"),
    path("p/<slug:slug>/limits/start/", limits.start_probes, name="start_probes"),
    path("p/<slug:slug>/limits/labels/", probe_labels.label_probes, name="label_probes"),
    # Mending one's own work.
    path(f"{_RANKING}withdraw/", own_work.withdraw_ranking, name="withdraw_ranking"),
    path(f"{_RANKING}put-back/", own_work.put_back_ranking, name="put_back_ranking"),
    path(f"{_DIALOGUE}take-out/", own_work.take_out_dialogue, name="take_out_dialogue"),
    path(f"{_DIALOGUE}put-back/", own_work.put_back_dialogue, name="put_back_dialogue"),
    # Taking back, and what it touches.
    path(_WITHDRAWALS, withdrawals.withdrawals, name="withdrawals"),
    path(f"{_WITHDRAWALS}preview/", withdrawals.preview_withdrawal, name="preview_withdrawal"),
    path(f"{_WITHDRAWALS}new/", withdrawals.new_withdrawal, name="new_withdrawal"),
    path(f"{_WITHDRAWALS}<uuid:withdrawal_id>/", withdrawals.withdrawal, name="withdrawal"),
    path(f"{_WITHDRAWALS}<uuid:withdrawal_id>/undo/", withdrawals.undo_withdrawal, name="undo_withdrawal"),
    path("p/<slug:slug>/quality/affected/", affected.affected, name="affected"),
    path(f"{_EXPORT}rebuild/", affected.rebuild_export, name="rebuild_export"),
    path(f"{_JOB}retrain/", affected.retrain_job, name="retrain_job"),
    path(f"{_RANKING}forward/", forward.ranking_forward, name="ranking_forward"),
    path(f"{_DIALOGUE}forward/", forward.dialogue_forward, name="dialogue_forward"),
    # Practice.
    path("p/<slug:slug>/practice/", practice.practice, name="practice"),
    path("p/<slug:slug>/practice/<uuid:comparison_id>/", practice.practice_board, name="practice_board"),
    path("p/<slug:slug>/practice/done/<uuid:ranking_id>/", practice.practice_result_page, name="practice_result"),
    # Ranking.
    path("p/<slug:slug>/rank/", ranking.rank, name="rank"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/", ranking.lease, name="lease"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/change/", changes.change_ranking, name="change_ranking"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/draft/", ranking.lease_draft, name="lease_draft"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/renew/", ranking.lease_renew, name="lease_renew"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/skip/", ranking.skip_lease, name="skip_lease"),
    path("p/<slug:slug>/rank/<uuid:lease_id>/better/", corrections.write_better, name="write_better"),
    path(
        "p/<slug:slug>/rank/<uuid:lease_id>/report/<uuid:completion_id>/",
        safety_reports.report_completion,
        name="report_completion",
    ),
    # Feedback contests: for anyone, entrants and jurors; then for those who run them.
    path("challenges/", public_challenges.challenges, name="challenges"),
    path(_CHALLENGE, public_challenges.challenge, name="challenge"),
    path(f"{_CHALLENGE}object/", public_challenges.object_to_results, name="object_to_results"),
    path(f"{_CHALLENGE}enter/", challenge_entries.enter, name="enter_challenge"),
    path(f"{_CHALLENGE}entries/<uuid:entry_id>/", challenge_entries.entry, name="entry"),
    path(f"{_CHALLENGE}entries/<uuid:entry_id>/withdraw/", challenge_entries.withdraw_entry, name="withdraw_entry"),
    path(f"{_CHALLENGE}jury/", jury.jury_page, name="jury"),
    path(f"{_CHALLENGE}jury/<uuid:entry_id>/", jury.mark_entry, name="mark_entry"),
    path(f"{_CHALLENGE}jury/<uuid:entry_id>/conflict/", jury.declare_conflict, name="declare_conflict"),
    path("p/<slug:slug>/challenges/", challenge_administration.project_challenges, name="project_challenges"),
    path(_RUN_CHALLENGE, challenge_administration.run_challenge, name="run_challenge"),
    path(f"{_RUN_CHALLENGE}jurors/", challenge_administration.name_juror, name="name_juror"),
    path(f"{_RUN_CHALLENGE}jurors/<int:juror_id>/excuse/", challenge_administration.excuse_juror, name="excuse_juror"),
    path(f"{_RUN_CHALLENGE}draw/", challenge_administration.draw_jurors, name="draw_jurors"),
    path(f"{_RUN_CHALLENGE}entries/", oversight.entries_of, name="entries_of"),
    path(_ENTRY_OF, oversight.entry_of, name="entry_of"),
    path(f"{_ENTRY_OF}disqualify/", oversight.disqualify_entry, name="disqualify_entry"),
    path(f"{_ENTRY_OF}duplicate/", oversight.name_duplicate, name="name_duplicate"),
    path(f"{_ENTRY_OF}release/", oversight.release_entry, name="release_entry"),
    path(f"{_RUN_CHALLENGE}results/", challenge_results.challenge_results, name="challenge_results"),
    path(
        f"{_RUN_CHALLENGE}objections/<uuid:objection_id>/",
        challenge_results.answer_objection,
        name="answer_objection",
    ),
    # The public door of a project, and its visitors.
    path("p/<slug:slug>/settings/preview/", preview_settings.preview_settings, name="preview_settings"),
    path("p/<slug:slug>/settings/preview/samples/", preview_settings.preview_samples, name="preview_samples"),
    path(f"{_SAMPLE}freeze/", preview_settings.freeze_sample, name="freeze_sample"),
    path(f"{_SAMPLE}remove/", preview_settings.remove_sample, name="remove_sample"),
    path("p/<slug:slug>/settings/preview/prompts/", preview_settings.take_in_prompts, name="take_in_prompts"),
    path("mail/", preview_settings.caught_mail, name="caught_mail"),
    path("t/<slug:slug>/", preview_door.preview_page, name="preview_page"),
    path("t/<slug:slug>/terms/", preview_door.preview_terms, name="preview_terms"),
    path("t/<slug:slug>/sign-up/", preview_door.preview_sign_up, name="preview_sign_up"),
    path("t/<slug:slug>/sign-in/", preview_door.preview_sign_in, name="preview_sign_in"),
    path("t/<slug:slug>/sent/", preview_door.preview_sent, name="preview_sent"),
    path("t/<slug:slug>/open/<str:token>/", preview_door.preview_open, name="preview_open"),
    path("t/<slug:slug>/leave/", preview_door.preview_leave, name="preview_leave"),
    path("t/<slug:slug>/chat/", visit.visit, name="visit"),
    path(_VISIT, visit.visit_dialogue, name="visit_dialogue"),
    path(f"{_VISIT}say/", visit.visit_say, name="visit_say"),
    path(f"{_VISIT}again/", visit.visit_again, name="visit_again"),
    path(f"{_VISIT}stop/", visit.visit_stop, name="visit_stop"),
    path(f"{_VISIT}choose/<uuid:completion_id>/", visit.visit_choose, name="visit_choose"),
    path(f"{_VISIT}messages/<uuid:message_id>/report/", words.visit_report, name="visit_report"),
    path(f"{_VISIT}messages/<uuid:message_id>/thumb/", words.visit_thumb, name="visit_thumb"),
    path("t/<slug:slug>/screenings/<uuid:screening_id>/appeal/", words.visit_appeal, name="visit_appeal"),
    path(f"{_VISIT}delete/", mine.delete_visit, name="delete_visit"),
    path("stream/t/<slug:slug>/<uuid:run_id>/", visit.visit_stream, name="visit_stream"),
    path("t/<slug:slug>/mine/", mine.mine, name="mine"),
    path("t/<slug:slug>/mine/training/", mine.change_training, name="change_training"),
    path("t/<slug:slug>/mine/download/", mine.download_mine, name="download_mine"),
    path("t/<slug:slug>/mine/delete/", mine.delete_mine, name="delete_mine"),
    # Programs.
    *routes.urlpatterns,
    path("audit/", audit.audit, name="audit"),
    path("audit/download/", audit.download_audit, name="download_audit"),
    # Machines that watch over this one.
    path("metrics/", metrics.metrics, name="metrics"),
    path("health/live/", health.live, name="live"),
    path("health/ready/", health.ready, name="ready"),
]
