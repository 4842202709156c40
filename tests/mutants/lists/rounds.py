"""Rounds, training jobs, promotion, evaluations of policies; projects and their people."""

from tests.mutants.mutant import platform_planter, unnoted

_promotion_races = platform_planter("rounds/promotion.py", "rounds/test_races.py")
_promotion = platform_planter("rounds/promotion.py", "rounds/test_promotion.py")
_policy_evaluation = platform_planter("rounds/policy_evaluation.py", "rounds/test_policy_evaluation.py")
_evaluation_requests = platform_planter("rounds/evaluation_requests.py", "rounds/views/test_rounds.py")
_evaluations = platform_planter("rounds/evaluations.py", "rounds/test_evaluations.py")
_verdicts = platform_planter("rounds/verdicts.py", "rounds/test_evaluations.py")
_pairs = platform_planter("rankings/assignment_sql.py", "rounds/test_evaluations.py")
_pairs_races = platform_planter("rankings/assignment_sql.py", "rounds/test_races.py")
_word = platform_planter("rounds/promotion.py", "rounds/test_evaluations.py")
_leaderboard = platform_planter("rounds/leaderboard.py", "rounds/test_leaderboard.py")
_steps = platform_planter("rounds/steps.py", "rounds/test_steps.py")
_training_inputs = platform_planter("rounds/training_inputs.py", "rounds/test_training_inputs.py")
_training_jobs = platform_planter("rounds/training_jobs.py", "rounds/test_training_jobs.py")
_training_jobs_races = platform_planter("rounds/training_jobs.py", "rounds/test_races.py")
_job_endings = platform_planter("rounds/training_jobs.py", "rounds/test_job_endings.py")
_job_logs = platform_planter("rounds/job_logs.py", "rounds/views/test_job_logs.py")
_model_files = platform_planter("web/permissions/model_access.py", "rounds/views/test_models.py")
_run_table = platform_planter("rounds/run_table.py", "rounds/views/test_runs.py")
_administration = platform_planter("projects/administration.py", "projects/test_administration.py")

MUTANTS = [
    _job_endings(
        "a job that its settings ended is tried again",
        "            if locked.needs_other_settings:\n",
        "            if False:\n",
    ),
    _job_endings(
        "a worker that stops gives back an attempt that is not the newest",
        "job = _locked(job_id, attempt=attempt, states=(State.SENT, State.RUNNING))",
        "job = _locked(job_id, states=(State.SENT, State.RUNNING))",
    ),
    _job_endings(
        "a job that is given back waits for the sweep",
        "        transaction.on_commit(partial(send_job, job.id), robust=True)\n    return True\n\n\ndef record_result",
        "    return True\n\n\ndef record_result",
    ),
    _job_logs("a link in a job's folder is followed", " and not path.is_symlink()", ""),
    _model_files(
        "engineers of other projects take a model away",
        "return made_in is None or Project",
        "return made_in is not None or Project",
    ),
    _run_table(
        "the accuracy of batches stands under held-out pairs",
        "return job.metrics.get(name) if is_same else None",
        "return job.metrics.get(name)",
    ),
    _promotion_races(
        "two rounds opened at once",
        'from_queryset=Project.objects.select_for_update(of=("self",))',
        "from_queryset=Project.objects.all()",
    ),
    _promotion("all rounds share a seed", "seed=random.getrandbits(31)", "seed=1"),
    _policy_evaluation("the seed of the evaluation is ignored", "hash_number(seed, content)", "hash_number(content)"),
    _policy_evaluation(
        "an outcome is controlled for the lengths of other answers",
        "for after in answer.new for before in answer.old]\n        scores",
        "for before in answer.old for after in answer.new]\n        scores",
    ),
    _evaluation_requests(
        "prompts that the policy was trained on are held out",
        'if "train" not in splits:',
        "if True:",
    ),
    _evaluation_requests(
        "the validation split comes before the test split",
        "return [*tested, *validated][:num]",
        "return [*validated, *tested][:num]",
    ),
    _evaluation_requests(
        "prompts of other projects are asked", ".filter(project=project).order_by(", ".all().order_by("
    ),
    _evaluation_requests(
        "the evaluation of another project is shown",
        'filter(project=project, verb="compare policies"',
        'filter(verb="compare policies"',
    ),
    _evaluations(
        "every candidate may be called better with the whole error",
        "error=evaluation.error / num_candidates",
        "error=evaluation.error",
    ),
    _evaluations("all pairs share a seed", "hash_number(evaluation.seed, prompt.id)", "hash_number(evaluation.seed)"),
    _evaluations("a pair of a prompt is no family", "                family=family,\n", ""),
    _evaluations(
        "a verdict is taken while a pair is in somebody's hands",
        "state__in=(Comparison.State.SAMPLING, Comparison.State.OPEN)",
        "open_slots__gt=0",
    ),
    _evaluations("what is stopped is sampled on", "    _cancel_sampling(locked, by=by)\n", ""),
    _verdicts("what was taken back is a judgement", "        retracted_at=None,\n", ""),
    _verdicts(
        "the baseline's wins are the candidate's",
        "difference = places[str(baseline.id)] - places[str(candidate.id)]",
        "difference = places[str(candidate.id)] - places[str(baseline.id)]",
    ),
    _pairs(
        "a trainer judges answers to a prompt of their own",
        "(SELECT p.created_by_id FROM labeling_prompt p WHERE p.id = c.prompt_id) IS DISTINCT FROM %(trainer)s",
        "true",
    ),
    _pairs("pairs of an evaluation that is over are handed out", "AND e.state = 'open'\n", "\n"),
    _pairs("a pair's place is not given back", "use IN ('work', 'evaluation') THEN", "use IN ('work') THEN"),
    _pairs_races(
        "two trainers are given the same place of a pair",
        "        FOR UPDATE OF c SKIP LOCKED\n    ), leased",
        "    ), leased",
    ),
    _word(
        "a policy is promoted against people's word without a reason", "if not reason.strip() and (", "if False and ("
    ),
    _word("the word on another policy than the present one counts", "evaluation__baseline=project.policy_id", ""),
    _leaderboard("simulated trainers are people", "        trainer__is_simulated=False,\n", ""),
    _leaderboard("a policy is compared with itself", " and first.policy_id != second.policy_id", ""),
    _steps("gold items count as ranked", ", comparison__use=Comparison.Use.WORK)", ")"),
    _steps(
        "the time spent on withdrawn dialogues counts",
        "project.dialogues.exclude(state=Dialogue.State.WITHDRAWN).aggregate",
        "project.dialogues.aggregate",
    ),
    _steps("a promoted policy is a candidate still", ", state=Policy.State.CANDIDATE\n", "\n"),
    _steps("a candidate of an earlier round is promoted", "training_job__round=current, ", ""),
    _steps(
        "exports of earlier rounds count",
        "project.exports.filter(created_at__gte=current.started_at)",
        "project.exports.all()",
    ),
    _training_inputs("an export of another format is learnt", 'if export.format != "records":', "if False:"),
    _training_inputs(
        "a reward model stands in an ensemble twice", "if inputs.reward_model in inputs.ensemble_models:", "if False:"
    ),
    _training_inputs(
        "a member of the ensemble watches it",
        "in (inputs.reward_model, *inputs.ensemble_models):",
        "in (inputs.reward_model,):",
    ),
    _training_inputs(
        "rejection sampling starts without a reward model",
        "SCORED = (Kind.PPO, Kind.RLOO, Kind.REJECTION_SAMPLING)",
        "SCORED = (Kind.PPO, Kind.RLOO)",
    ),
    _steps(
        "only PPO makes a candidate",
        "training_job__kind__in=FROM_PREFERENCE,",
        "training_job__kind=Kind.PPO,",
    ),
    _training_jobs(
        "an older attempt passes the fence", "attempt in (None, job.attempt)", "(attempt or 0) <= job.attempt"
    ),
    _training_jobs_races(
        "a result that comes while its job is cancelled registers a model",
        'TrainingJob.objects.select_for_update(of=("self",)).select_related(',
        "TrainingJob.objects.select_related(",
    ),
    _training_jobs(
        "with the broker away every message counts as lost",
        "dispatch.queue_length(TRAIN_QUEUE) != 0:",
        "dispatch.queue_length(TRAIN_QUEUE):",
    ),
    _training_jobs("progress beyond the end is kept", "min(max(progress.fraction, 0.0), 1.0)", "progress.fraction"),
    unnoted(_training_jobs, "a registered model leaves no audit event", "register model"),
    unnoted(_training_jobs, "a cancelled job leaves no audit event", "cancel training"),
    unnoted(_training_jobs, "a job that is tried again leaves no audit event", "retry training"),
    _training_jobs("an option names a path", "_PLAIN_VALUE.fullmatch(value)", "_PLAIN_VALUE.match(value)"),
    _administration(
        "two who publish guidelines at once take one number",
        "Project.objects.select_for_update().get(pk=project.pk)  # or two publishing",
        "Project.objects.get(pk=project.pk)  # or two publishing",
    ),
    _administration(
        "two who choose members at once add the same person",
        "Project.objects.select_for_update().get(pk=project.pk)  # or two admins",
        "Project.objects.get(pk=project.pk)  # or two admins",
    ),
    unnoted(_administration, "a change leaves no audit event", "change project"),
    unnoted(_administration, "new members leave no audit event", "choose members"),
]
