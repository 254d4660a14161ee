/* consumer.c - a program of somebody else's, to see that the installed library
 * can be compiled against, linked and called. */
#include <stdio.h>

#include <tmesh.h>

int main(void)
{
    char text[TMESH_ID_TEXT_BYTES];
    tmesh_id_t id = tmesh_id_new();
    tmesh_id_text(&id, text);
    return printf("tmesh %s, id %s\n", tmesh_version(), text) > 0 ? 0 : 1;
}
