/* The verbs of the command. argv[0] is the verb; each returns the exit status. */
#ifndef AQUAMVS_COMMANDS_H
#define AQUAMVS_COMMANDS_H

int aqm_cmd_init(int argc, char **argv);
int aqm_cmd_run(int argc, char **argv);
int aqm_cmd_export_mesh(int argc, char **argv);
int aqm_cmd_export_refs(int argc, char **argv);
int aqm_cmd_profile(int argc, char **argv);
int aqm_cmd_synth(int argc, char **argv);
int aqm_cmd_evaluate(int argc, char **argv);
int aqm_cmd_benchmark(int argc, char **argv);
int aqm_cmd_verify(int argc, char **argv);
int aqm_cmd_info(int argc, char **argv);

#endif
