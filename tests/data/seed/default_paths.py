from smartsim import Experiment

exp = Experiment(name="experiment-example")
database = exp.create_database(port=6379, interface="ib0")
settings = exp.create_run_settings(exe="echo", exec_args="hello world")
model = exp.create_model(name="model-name", run_settings=settings)
ensemble = exp.create_ensemble(name="ensemble-name", run_settings=settings, replicas=2)
exp.start(model, ensemble)
